"""What a run proposes by the models that have been trained: pairs, and what becomes of each.

Belongs here: which pairs have to be looked at again since the last published run, the verdict of a
model's thresholds, and letting go of what is proposed no more. Does not belong here: a pair's
probability (`scoring`), learning (a run never does), reading any table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp.config.matching import MatchingModel, load_matching
from cdp.config.matching_parameters import load_parameters
from cdp.identity.matching.preparing import FIRST_LANDING, NODE, prepared
from cdp.identity.matching.scoring import candidates_among, is_as_crowded, refuse_foreign
from cdp.warehouse.settings import Settings

ACCEPT, REVIEW, WITHDRAWN = "accept", "review", "withdrawn"

SCHEMA = pa.schema(
    [
        ("candidate_key", pa.string()),
        ("matching_model", pa.string()),
        ("left_node", pa.int64()),
        ("right_node", pa.int64()),
        ("probability", pa.float64()),
        ("match_weight", pa.float64()),
        ("waterfall", pa.string()),
        ("decision", pa.string()),
        ("last_landing_number", pa.int64()),
    ]
)
"""Grain: one row per pair of nodes (`left_node` the lesser) and matching model. `decision` is
`accept` or `review` by the model's thresholds; a pair that was accepted and is no more has a row
`withdrawn`. `last_landing_number` is of the newest record of either node; of what was withdrawn, of
the newest row that had landed then."""


KNOWN = [field.name for field in SCHEMA if field.name != "waterfall"]
"""What is needed of candidates that are known."""


@dataclass(frozen=True)
class Trained:
    """A model with what it has learned."""

    model: MatchingModel
    parameters: Mapping[str, Any]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources whose records it compares."""
        return self.model.sources


def configured(settings: Settings) -> list[Trained]:
    """The models of a deployment that have been trained, by name.

    Raises:
        ConfigError: a declaration is wrong, or parameters are of another model.
    """
    models = load_matching(settings)
    learned = load_parameters(settings, models)
    return [Trained(models[name], learned[name].parameters) for name in sorted(learned)]


def columns_needed(trained: Iterable[Trained]) -> list[str]:
    """The columns of records that the models read."""
    attributes = {name for each in trained for name in each.model.read_attributes()}
    return [NODE, "source", *sorted(attributes), FIRST_LANDING]


def proposals(
    records: pa.Table,
    trained: Sequence[Trained],
    known: pa.Table | None = None,
    *,
    since: int = 0,
    through: int = 0,
) -> pa.Table:
    """What is to be written, so that with what is known it says what all records say.

    Records are only ever added, so a pair can change only where one of its nodes has a new record,
    or where a value has come to be shared by too many.

    Args:
        records: every record of the models' sources, with the `columns_needed`.
        known: what runs before have proposed, its columns `KNOWN`; None where everything is worked
            out anew.
        since: the landing number that the last published run had seen.
        through: the newest landing number that this run sees.

    Returns:
        A table of `SCHEMA`: rows that are new, or in place of known ones of their key.
    """
    records = _in_whole_numbers(records, NODE, FIRST_LANDING)
    if known is not None:
        numbers = ("left_node", "right_node", "last_landing_number")
        known = _in_whole_numbers(known.select(KNOWN), *numbers)
    rows = [
        row
        for each in trained
        for row in (
            _all(records, each) if known is None else _changed(records, each, known, since, through)
        )
    ]
    columns = {field.name: [row.get(field.name) for row in rows] for field in SCHEMA}
    return pa.table(columns, schema=SCHEMA)


def _changed(
    records: pa.Table, trained: Trained, known: pa.Table, since: int, through: int
) -> Iterator[dict[str, Any]]:
    ours = _of_sources(records, trained)
    is_new = pc.greater(ours[FIRST_LANDING], since)
    changed = set(ours.filter(is_new)[NODE].to_pylist())
    if not changed:
        return
    rows = prepared(ours, trained.model)
    only = changed if is_as_crowded(rows, trained.model, since) else None
    found = list(_found(ours, rows, trained, only))
    yield from found
    yield from _let_go(found, trained, known, only, through)


def _in_whole_numbers(table: pa.Table, *columns: str) -> pa.Table:
    """The table with these columns as BIGINT, which some engines hand over as decimals."""
    for name in columns:
        index = table.column_names.index(name)
        table = table.set_column(index, name, table[name].cast(pa.int64()))
    return table


def _of_sources(records: pa.Table, trained: Trained) -> pa.Table:
    sources = pa.array(trained.sources, pa.string())
    return records.filter(pc.is_in(records["source"], sources))


def _all(records: pa.Table, trained: Trained) -> Iterator[dict[str, Any]]:
    ours = _of_sources(records, trained)
    return _found(ours, prepared(ours, trained.model), trained, None)


def _found(
    ours: pa.Table, rows: pa.Table, trained: Trained, only: Collection[int] | None
) -> Iterator[dict[str, Any]]:
    """Candidates among records of the model's sources, `rows` as they are prepared."""
    model = trained.model
    refuse_foreign(trained.parameters, model)
    found = candidates_among(rows, model, trained.parameters, only)
    if not found.num_rows:
        return
    newest = ours.group_by(NODE).aggregate([(FIRST_LANDING, "max")])
    landed = dict(
        zip(newest[NODE].to_pylist(), newest[f"{FIRST_LANDING}_max"].to_pylist(), strict=True)
    )
    for row in found.to_pylist():
        left, right = row["left_node"], row["right_node"]
        yield {
            **row,
            "candidate_key": _key(model.name, left, right),
            "matching_model": model.name,
            "decision": ACCEPT if row["probability"] >= model.accept else REVIEW,
            "last_landing_number": max(landed[left], landed[right]),
        }


def _let_go(
    found: Iterable[Mapping[str, Any]],
    trained: Trained,
    known: pa.Table,
    only: Collection[int] | None,
    through: int,
) -> Iterator[dict[str, Any]]:
    """What was proposed and is no more. A pair that was accepted and is now up for review has two
    rows: its own, and one that lets go."""
    now = {row["candidate_key"]: row["decision"] for row in found}
    ours = known.filter(pc.equal(known["matching_model"], trained.model.name))
    for row in ours.to_pylist():
        left, right = row["left_node"], row["right_node"]
        looked_at = only is None or left in only or right in only
        if row["decision"] == WITHDRAWN or not looked_at:
            continue
        key = _key(trained.model.name, left, right)
        gone = {**row, "decision": WITHDRAWN, "last_landing_number": through}
        if key not in now:
            yield gone
        elif row["decision"] == ACCEPT and now[key] != ACCEPT:
            yield {**gone, "candidate_key": f"{key}:{WITHDRAWN}"}


def _key(model: str, left: int, right: int) -> str:
    return f"{model}:{left}:{right}"
