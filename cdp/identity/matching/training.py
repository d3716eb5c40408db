"""Learning a model's parameters from records.

Belongs here: the order of Splink's estimates, and what is made of what it never saw. Does not
belong here: keeping parameters, scoring. Parameters are learned on command only and are the same
for the same rows in any order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdp.config.matching import MatchingModel
from cdp.identity.matching import frequencies
from cdp.identity.matching.blocking import guard_sql
from cdp.identity.matching.connecting import own_database
from cdp.identity.matching.errors import MatchingError
from cdp.identity.matching.preparing import NODE, SOURCE, UID, prepared, value_column
from cdp.identity.matching.splink_model import agreement_sql, quiet, settings_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from splink import Linker


def train(records: pa.Table, model: MatchingModel) -> dict[str, Any]:
    """Learn how often attributes agree for one person, and for two.

    Args:
        records: see `preparing.prepared`.

    Returns:
        The parameters, which JSON can hold: `splink`, the model as Splink saves it; `frequencies`,
        how common values are; `learned_for`, what of the model they hold for.

    Raises:
        MatchingError: the records do not have what the model reads, or too little to learn from.
    """
    rows = prepared(records, model)
    # One thread: sums of fractions depend on the order in which threads come to them.
    with own_database(threads=1) as con:
        con.register("all_rows", rows)
        _choose_rows(con, model)
        with quiet():
            linker = _linker(con, model)
            _estimate(con, linker, model)
        learned = json.loads(json.dumps(linker.misc.save_model_to_json()))
        _refuse_what_was_never_seen(learned, model)
        return {
            "splink": _as_seen(learned, _possible_pairs(con, model), model),
            "frequencies": frequencies.count(con, "all_rows", model),
            "learned_for": model.learned_for(),
        }


def _choose_rows(con: DuckDBPyConnection, model: MatchingModel) -> None:
    """One row a node and source, the one that says most: the rows of one node agree with each
    other whatever people are like, and one that is told often would count often. They are
    numbered anew, since Splink draws by the numbers."""
    values = [f"v.{name}" for name in _value_columns(con)]
    filled = " + ".join(f"({name} IS NOT NULL)::INT" for name in values)
    guards = [
        f"({guard_sql(rule, 'all_rows', model)}) AS {_guard(number)}"
        for number, rule in enumerate((*model.certain.rules, *model.training_rules))
    ]
    con.execute(
        f"""
        CREATE TABLE chosen AS
        SELECT
            one.* REPLACE (row_number() OVER (ORDER BY {UID}) AS {UID}),
            {", ".join(guards)}
        FROM (
            SELECT * FROM all_rows AS v
            QUALIFY row_number() OVER (
                PARTITION BY {NODE}, {SOURCE} ORDER BY {filled} DESC, {UID}
            ) = 1
        ) AS one
        ORDER BY {UID}
        """
    )


def _value_columns(con: DuckDBPyConnection) -> list[str]:
    described = con.execute("DESCRIBE all_rows").fetchall()
    return [str(row[0]) for row in described if str(row[0]).startswith("v_")]


def _guard(number: int) -> str:
    return f"guard_{number}"


def _linker(con: DuckDBPyConnection, model: MatchingModel) -> Linker:
    from splink import DuckDBAPI, Linker

    api = DuckDBAPI(connection=con)
    return Linker(api.register("chosen"), settings_of(model), log_level=None)


def _estimate(con: DuckDBPyConnection, linker: Linker, model: MatchingModel) -> None:
    rules = [
        agreement_sql(rule, _guard(number))
        for number, rule in enumerate((*model.certain.rules, *model.training_rules))
    ]
    certain = [rule for rule in rules[: len(model.certain.rules)] if _agree(con, rule, model)]
    training = [rule for rule in rules[len(model.certain.rules) :] if _agree(con, rule, model)]
    for key, found in (("certain", certain), ("train` or `block", training)):
        if not found:
            raise MatchingError(
                f"no two records agree on any list of `{key}` of the matching model "
                f"'{model.name}': there is nothing to learn from"
            )
    _estimate_share(linker, certain, model)
    linker.training.estimate_u_using_random_sampling(
        max_pairs=float(model.random_pairs), seed=model.seed, min_count_per_level=None
    )
    for rule in training:
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True, max_pairs=float(model.random_pairs)
        )


def _estimate_share(linker: Linker, certain: list[str], model: MatchingModel) -> None:
    try:
        linker.training.estimate_probability_two_random_records_match(
            [*certain], recall=model.certain.recall
        )
        share = linker.misc.save_model_to_json()["probability_two_random_records_match"]
    except ValueError:
        # Splink says no more than this: pairs beyond what the recall leaves room for.
        share = 1.0
    if share >= 1:
        raise MatchingError(
            f"by `certain` of the matching model '{model.name}' all records would be one person, "
            f"so nothing tells people apart; agree on more attributes, or on rarer ones"
        )


def _agree(con: DuckDBPyConnection, rule: str, model: MatchingModel) -> bool:
    """Whether any two records agree on a rule: Splink gives up where none do."""
    across = f"AND l.{SOURCE} <> r.{SOURCE}" if model.between else ""
    found = con.execute(
        f"""
        SELECT 1 FROM chosen AS l INNER JOIN chosen AS r
        ON {rule} AND l.{UID} < r.{UID} {across} LIMIT 1
        """
    ).fetchone()
    return found is not None


def _possible_pairs(con: DuckDBPyConnection, model: MatchingModel) -> int:
    found = con.execute(f"SELECT count(*) FROM chosen GROUP BY {SOURCE}").fetchall()
    counts = [int(row[0]) for row in found]
    total = sum(counts)
    within = sum(each * (each - 1) // 2 for each in counts)
    return total * (total - 1) // 2 - within if model.between else within


def _refuse_what_was_never_seen(learned: Mapping[str, Any], model: MatchingModel) -> None:
    """An attribute of which nothing was learned would count all the same once it is told: what
    `_as_seen` takes for rare speaks for one person, in agreement and in disagreement alike.

    Raises:
        MatchingError: an attribute was never compared among strangers, or among one person's
            records.
    """
    names = {value_column(name): name for name in model.compare}
    for comparison in learned["comparisons"]:
        levels = [each for each in comparison["comparison_levels"] if not each.get("is_null_level")]
        for key, whose in (("u_probability", "random"), ("m_probability", "agreeing")):
            if not any(isinstance(level.get(key), float) for level in levels):
                raise MatchingError(
                    f"no two {whose} records that both tell "
                    f"'{names[comparison['output_column_name']]}' were found for the matching "
                    f"model '{model.name}': nothing is known of it; leave it out of `compare`, or "
                    "train when more have landed, by other lists of `train`"
                )


def _as_seen(learned: dict[str, Any], pairs: int, model: MatchingModel) -> dict[str, Any]:
    """What was never seen is taken for no rarer than one pair among those looked at.

    Splink takes it for one in a million, so that from a few hundred records a level of agreement
    that happened to be missing would decide alone.
    """
    drawn = max(1, min(pairs, model.random_pairs))
    matches = max(1.0, learned["probability_two_random_records_match"] * pairs)
    for comparison in learned["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            for key, least in (("m_probability", 1 / matches), ("u_probability", 1 / drawn)):
                said = level.get(key)
                level[key] = max(said, least) if isinstance(said, float) else least
    return learned
