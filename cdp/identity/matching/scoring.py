"""Candidates: pairs that are likely one person, with what speaks for it and against.

Belongs here: a pair's probability by learned parameters, the best reading of its records, and the
evidence. Does not belong here: learning, which candidates count.

A pair's probability follows from its records and the parameters alone: not from the order of rows,
nor from which other pairs are looked at. Which pairs are looked at at all depends on others in one
way: a value that too many share makes none (see `crowded`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdp.config.matching import MatchingModel
from cdp.identity.matching import blocking, frequencies
from cdp.identity.matching.connecting import own_database
from cdp.identity.matching.errors import MatchingError
from cdp.identity.matching.preparing import FIRST_LANDING, NODE, UID, prepared, value_column
from cdp.identity.matching.splink_model import quiet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA = pa.schema(
    [
        ("left_node", pa.int64()),
        ("right_node", pa.int64()),
        ("probability", pa.float64()),
        ("match_weight", pa.float64()),
        ("waterfall", pa.string()),
    ]
)
"""Grain: one row per pair of nodes (`left_node` the lesser) whose probability is not below
`review`. `match_weight` is the evidence in bits, the share of true pairs among all included;
`waterfall` says as JSON where it comes from."""


def candidates(
    records: pa.Table,
    model: MatchingModel,
    parameters: Mapping[str, Any],
    only: Iterable[int] | None = None,
) -> pa.Table:
    """The pairs of nodes that are likely one person.

    Args:
        records: all records of the model's sources; see `preparing.prepared`.
        parameters: what `training.train` gave for the model.
        only: nodes of which one has to be in the pair; None for any.

    Returns:
        A table of `SCHEMA`, in the order of its first two columns.

    Raises:
        MatchingError: the parameters were learned for something else.
    """
    refuse_foreign(parameters, model)
    return candidates_among(prepared(records, model), model, parameters, only)


def refuse_foreign(parameters: Mapping[str, Any], model: MatchingModel) -> None:
    """Refuse parameters that were not learned for a model.

    Raises:
        MatchingError: they were learned for other sources, attributes or kinds.
    """
    if parameters.get("learned_for") != model.learned_for():
        raise MatchingError(
            f"the parameters of the matching model '{model.name}' were learned for other sources, "
            f"attributes or kinds than it has now; train it again"
        )


def candidates_among(
    rows: pa.Table,
    model: MatchingModel,
    parameters: Mapping[str, Any],
    only: Iterable[int] | None = None,
) -> pa.Table:
    """The same among records that are prepared, by parameters that were learned for the model."""
    with own_database() as con:
        con.register("all_rows", rows)
        pairs = blocking.pairs(con, "all_rows", model, only)
        if not pairs.num_rows:
            return SCHEMA.empty_table()
        scored = _scored(con, pairs, model, parameters)
    attributes = {value_column(name): name for name in model.compare}
    waterfall = _Waterfall(parameters["splink"], attributes)
    return pa.table(
        {
            "left_node": scored["left_node"],
            "right_node": scored["right_node"],
            "probability": scored["match_probability"],
            "match_weight": scored["match_weight"],
            "waterfall": pa.array([waterfall.text(row) for row in scored.to_pylist()], pa.string()),
        },
        schema=SCHEMA,
    )


def is_as_crowded(rows: pa.Table, model: MatchingModel, since: int) -> bool:
    """Whether the same values make no pairs, for being shared by too many, as up to a landing
    number.

    As long as they are, what `candidates` finds for the nodes that changed is all that changes;
    when they are not, all pairs have to be found anew.

    Args:
        rows: prepared records with their `first_landing_number`.
    """
    with own_database() as con:
        con.register("all_rows", rows)
        before = f"(SELECT * FROM all_rows WHERE {FIRST_LANDING} <= {int(since)})"
        now = blocking.crowded_keys(con, "all_rows", model)
        return now == blocking.crowded_keys(con, before, model)


def _scored(
    con: DuckDBPyConnection, pairs: pa.Table, model: MatchingModel, parameters: Mapping[str, Any]
) -> pa.Table:
    """The best row of each pair of nodes, with Splink's intermediate columns."""
    from splink import DuckDBAPI, Linker

    settings = {
        **parameters["splink"],
        # Which pairs are compared is settled; that the sources differ, too.
        "link_type": "dedupe_only",
        "additional_columns_to_retain": [NODE],
        # The numbers of levels come with the values only; of these, none is taken on.
        "retain_matching_columns": True,
    }
    with quiet():
        api = DuckDBAPI(connection=con)
        con.register("pairs", pairs)
        con.execute(
            f"""
            CREATE TABLE scored_rows AS SELECT * FROM all_rows
            WHERE {UID} IN (SELECT join_key_l FROM pairs UNION SELECT join_key_r FROM pairs)
            """
        )
        linker = Linker(api.register("scored_rows"), settings, log_level=None)
        for attribute in frequencies.counted_attributes(model):
            shares = frequencies.shares(
                con, "scored_rows", attribute, parameters["frequencies"][attribute]
            )
            linker.table_management.register_term_frequency_lookup(
                api.register(shares), value_column(attribute)
            )
        linker.table_management.register_blocked_pairs_for_predict(api.register(pairs))
        found = linker.inference.predict(
            threshold_match_probability=model.review, warning_mode="never"
        )
    return con.execute(
        f"""
        SELECT
            least({NODE}_l, {NODE}_r) AS left_node,
            greatest({NODE}_l, {NODE}_r) AS right_node,
            match_probability,
            match_weight,
            columns('^(gamma|mw|mw_tf_adj)_v_')
        FROM {found.physical_name}
        QUALIFY row_number() OVER (
            PARTITION BY least({NODE}_l, {NODE}_r), greatest({NODE}_l, {NODE}_r)
            ORDER BY match_weight DESC, {UID}_l, {UID}_r
        ) = 1
        ORDER BY left_node, right_node
        """
    ).to_arrow_table()


class _Waterfall:
    """How a pair's evidence adds up, without any value of its records."""

    def __init__(self, settings: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        import math

        prior = settings["probability_two_random_records_match"]
        self._prior = math.log2(prior / (1 - prior))
        self._attributes = attributes
        self._labels = {
            comparison["output_column_name"]: _labels(comparison["comparison_levels"])
            for comparison in settings["comparisons"]
        }

    def text(self, row: Mapping[str, Any]) -> str:
        """The evidence of one pair as JSON text."""
        return json.dumps(
            {
                "prior_bits": round(self._prior, 4),
                "comparisons": [
                    self._step(row, column, labels) for column, labels in self._labels.items()
                ],
            }
        )

    def _step(
        self, row: Mapping[str, Any], column: str, labels: Mapping[int, str]
    ) -> dict[str, Any]:
        attribute = self._attributes[column]
        agreement = row[f"gamma_{column}"]
        step = {
            "name": attribute,
            "level": labels[agreement].replace(column, attribute),
            "agreement": agreement,
            "bits": round(row[f"mw_{column}"], 4),
        }
        rarity = row.get(f"mw_tf_adj_{column}")
        return {**step, "rarity_bits": round(rarity, 4)} if rarity else step


def _labels(levels: list[dict[str, Any]]) -> dict[int, str]:
    """The label of each of Splink's numbers of a level: the highest for the closest agreement, 0
    for none, -1 where a value is missing."""
    told = [level for level in levels if not level.get("is_null_level")]
    found = {len(told) - 1 - index: level["label_for_charts"] for index, level in enumerate(told)}
    return {**found, -1: "a value is missing"}
