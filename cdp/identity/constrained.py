"""Solving the components that a rule has something to say on, from tables into a table.

Belongs here: the shapes of what the model gives and gets. Does not belong here: the rules
(`cdp.identity.solving`), finding components (set-based, in the models), reading any table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp.identity.graph import Component, Edge, Identifier, Label, Name
from cdp.identity.rules import Rules
from cdp.identity.solving import Solution, solve

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("component_id", pa.int64()),
        ("birth", pa.int64()),
        ("other_birth", pa.int64()),
        ("profile_id", pa.int64()),
        ("rule", pa.string()),
        ("same_as", pa.int64()),
        ("seen", pa.int64()),
        ("identifiers", pa.int64()),
        ("edges", pa.int64()),
        ("is_nobodys", pa.bool_()),
    ]
)
"""Grain: one row per identifier (`kind` member, with its `profile_id`, and in `same_as` the
earliest born of the ids that sources or people say are one with it, and in `is_nobodys` whether it
has proved to be nobody's own), one per edge that was left out (`kind` rejected, `birth` to
`other_birth`, with the `rule` that did it), and one per group that is implausible as one person
(`kind` cluster or value, `birth` the earliest born of it or the value, `rule` the sign, `seen` how
much of it, and the group's `identifiers` and `edges` left out)."""


def solve_components(nodes: pa.Table, evidence: pa.Table, rules: Rules) -> pa.Table:
    """Solve every component given.

    Args:
        nodes: `node` BIGINT, `component_id` BIGINT, `identifier_type` and `identifier_value` text.
        evidence: everything else that is known of those components, one row each: `component_id`,
            `kind` text, `left_node`, `right_node`, and by kind: of an edge (`seen`, or `likely` by
            matching) `weakness` BIGINT, `is_asserted` BOOLEAN, `first_occurred_at` TIMESTAMP (UTC);
            of a label (`join`, `split`; `trust` and `distrust` of `left_node` alone)
            `label_number` BIGINT; of a name beside `left_node` (`name`) `given_name` and `surname`
            text.

    Returns:
        A table of `SCHEMA`.
    """
    rows = [
        row
        for number, component in _components(nodes, evidence)
        for row in _rows(number, solve(component, rules))
    ]
    columns = {field.name: [row.get(field.name) for row in rows] for field in SCHEMA}
    return pa.table(columns, schema=SCHEMA)


def _components(nodes: pa.Table, evidence: pa.Table) -> Iterator[tuple[int, Component]]:
    members: dict[int, dict[int, Identifier]] = defaultdict(dict)
    for number, node, kind, value in _values(
        nodes, "component_id", "node", "identifier_type", "identifier_value"
    ):
        members[number][node] = Identifier(kind, value)
    seen = pc.equal(evidence["kind"], "seen")
    edges: dict[int, list[Edge]] = defaultdict(list)
    for number, *told in _values(evidence.filter(seen), "component_id", *_OF_AN_EDGE):
        edges[number].append(Edge(*told))
    verdicts: dict[int, dict[int, tuple[int, bool]]] = defaultdict(dict)
    labels: dict[int, list[Label]] = defaultdict(list)
    names: dict[int, dict[int, set[Name]]] = defaultdict(lambda: defaultdict(set))
    for row in evidence.filter(pc.invert(seen)).to_pylist():
        number, left, right = row["component_id"], row["left_node"], row["right_node"]
        match row["kind"]:
            case "likely":
                edges[number].append(Edge(left, right, row["weakness"], None, is_likely=True))
            case "name":
                names[number][left].add(Name(row["given_name"], row["surname"]))
            case "trust" | "distrust" as kind:
                said = (row["label_number"], kind == "trust")
                before = verdicts[number].get(left, said)
                # The newest holds; of two in the seed, which have no order, the one that refuses.
                newest = max(said, before, key=lambda each: (each[0], not each[1]))
                verdicts[number][left] = newest
            case kind:
                labels[number].append(Label(row["label_number"], kind, left, right))
    for number in sorted(members):
        yield (
            number,
            Component(
                members[number],
                tuple(edges[number]),
                tuple(labels[number]),
                {node: frozenset(told) for node, told in names[number].items()},
                {node: told for node, (_, told) in verdicts[number].items()},
            ),
        )


_OF_AN_EDGE = ("left_node", "right_node", "weakness", "first_occurred_at", "is_asserted")


def _values(rows: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a table that may have millions, of which a dictionary each would be most of the
    work."""
    return zip(*(rows[column].to_pylist() for column in columns), strict=True)


def _rows(number: int, solution: Solution) -> Iterator[dict[str, Any]]:
    for node, profile in sorted(solution.profiles.items()):
        yield {
            "kind": "member",
            "component_id": number,
            "birth": node,
            "profile_id": profile,
            "same_as": solution.same_as.get(node),
            "is_nobodys": node in solution.nobodys,
        }
    for edge, rule in solution.rejected:
        yield {
            "kind": "rejected",
            "component_id": number,
            "birth": edge.left,
            "other_birth": edge.right,
            "rule": rule,
        }
    for finding in solution.findings:
        yield {
            "kind": finding.kind,
            "component_id": number,
            "birth": finding.first,
            "rule": finding.sign,
            "seen": finding.seen,
            "identifiers": finding.identifiers,
            "edges": finding.edges,
        }
