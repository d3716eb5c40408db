"""Which pairs are compared.

Belongs here: pairs that agree on all of one of a model's lists, and what too many agree on. Does
not belong here: what becomes of a pair.

Splink finds pairs too; it cannot be told to look only around some nodes, nor to pass over values
that half the records share.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from cdp.config.matching import MatchingModel
from cdp.config.matching_terms import read_cut
from cdp.identity.matching.preparing import NODE, SOURCE, UID
from cdp.identity.matching.splink_model import key_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def guard_sql(rule: tuple[str, ...], rows: str, model: MatchingModel) -> str:
    """A condition on a row of `rows` (alias `one`): what it has of a rule is not everybody's."""
    keys = ", ".join(key_sql(read_cut(each)).format(table="one") for each in rule)
    return f"({keys}) NOT IN (SELECT key FROM ({_crowded_sql(rule, rows, model)}))"


def pairs(
    con: DuckDBPyConnection,
    rows: str,
    model: MatchingModel,
    only: Iterable[int] | None = None,
) -> pa.Table:
    """The pairs to be compared, as Splink reads them: `join_key_l` and `join_key_r` (the numbers
    of two rows of different nodes, the lesser on the left), `match_key`.

    Args:
        rows: a prepared table that the connection knows.
        only: nodes of which one has to be in the pair; None for any.
    """
    nodes = None if only is None else pa.array(sorted(set(only)), pa.int64())
    if nodes is not None:
        con.register("only_nodes", pa.table({NODE: nodes}))
    try:
        selects = [_pairs_sql(rule, rows, model, nodes is not None) for rule in model.block]
        return con.execute(
            f"""
            SELECT join_key_l, join_key_r, '0' AS match_key
            FROM ({" UNION ".join(selects)}) ORDER BY ALL
            """
        ).to_arrow_table()
    finally:
        if nodes is not None:
            con.unregister("only_nodes")


def crowded_keys(con: DuckDBPyConnection, rows: str, model: MatchingModel) -> frozenset[str]:
    """Hashes of everything that so many nodes agree on that it makes no pairs."""
    found: set[str] = set()
    for number, rule in enumerate(model.block):
        told = con.execute(
            f"SELECT sha256($rule || key::VARCHAR) FROM ({_crowded_sql(rule, rows, model)})",
            {"rule": f"{number}:{'+'.join(rule)}:"},
        ).fetchall()
        found.update(each for (each,) in told)
    return frozenset(found)


def _pairs_sql(rule: tuple[str, ...], rows: str, model: MatchingModel, is_limited: bool) -> str:
    keys = [key_sql(read_cut(each)) for each in rule]
    there = " AND ".join(f"{key.format(table='one')} IS NOT NULL" for key in keys)
    row = ", ".join(key.format(table="one") for key in keys)
    other_source = f"AND l.{SOURCE} <> r.{SOURCE}" if model.between else ""
    around, touching = "", ""
    if is_limited:
        around = f"""
            SEMI JOIN (SELECT key FROM sides WHERE {NODE} IN (SELECT {NODE} FROM only_nodes))
                USING (key)
        """
        touching = f"""
            AND (l.{NODE} IN (SELECT {NODE} FROM only_nodes)
                OR r.{NODE} IN (SELECT {NODE} FROM only_nodes))
        """
    # What is crowded goes before the join: half of the records would pair with each other.
    return f"""
        (
            WITH sides AS MATERIALIZED (
                SELECT {UID}, {NODE}, {SOURCE}, ({row}) AS key FROM {rows} AS one WHERE {there}
            ),
            kept AS MATERIALIZED (
                SELECT * FROM sides
                ANTI JOIN ({_crowded_sql(rule, rows, model)}) USING (key)
                {around}
            )
            SELECT l.{UID} AS join_key_l, r.{UID} AS join_key_r
            FROM kept AS l INNER JOIN kept AS r ON l.key = r.key
            WHERE l.{UID} < r.{UID} AND l.{NODE} <> r.{NODE} {other_source} {touching}
        )
    """


def _crowded_sql(rule: tuple[str, ...], rows: str, model: MatchingModel) -> str:
    keys = [key_sql(read_cut(each)).format(table="one") for each in rule]
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    return f"""
        SELECT ({", ".join(keys)}) AS key FROM {rows} AS one WHERE {there}
        GROUP BY ALL HAVING count(DISTINCT {NODE}) > {model.max_block}
    """
