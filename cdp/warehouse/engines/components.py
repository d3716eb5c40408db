"""Connected components, compiled: what `connected_components` of the models calls on DuckDB.

Belongs here: the function, and making it known to the embedded engine. Does not belong here: which
edges count (the models), components on other engines, where SQL finds them
(`dbt_project/macros/project/connected_components.sql`).

The method is that of the SQL, hooking and pointer jumping, over arrays: of the two ends of an edge
the greater hooks onto a lesser, hooks are followed to their roots, and edges within one root fall
away, until none is left. What SQL joins for, an array looks up.
A function of DuckDB takes values and not tables, and is called once for every 2,048 of them, which
costs more than solving does; so this one is given queries, and reads their rows by Arrow.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb.func import PythonUDFType

NAME = "connected_roots"

Indices = npt.NDArray[np.integer[Any]]

_QUERY = "VARCHAR"
_ROOTS = "STRUCT(node BIGINT, root BIGINT)[]"

_WORTH_SHARING = 1 << 20
"""Looked-up indices for which another thread takes less time than handing it its part."""


def known_to(instance: duckdb.DuckDBPyConnection, address: str) -> None:
    """Make `connected_roots(nodes, edges)` a function of an instance; once is enough.

    Args:
        instance: a connection to it.
        address: what opens another one. The queries that the function is given run there, and see
            what was committed before.
    """

    # A function is the instance's, and outlives the connection that made it.
    with suppress(duckdb.CatalogException, duckdb.NotImplementedException):
        instance.create_function(
            NAME,
            _asking(address),
            [_QUERY, _QUERY],
            _ROOTS,
            type=PythonUDFType.ARROW,
            # What two texts give is not theirs alone, and not for the planner to ask for.
            side_effects=True,
        )


# Kept, since what a closed connection made known, the instance calls without holding it.
@cache
def _asking(address: str) -> Callable[[pa.Array, pa.Array], pa.Array]:
    """`roots` of what two queries give at an address, for every row of a pair of columns."""

    def of_queries(nodes: pa.Array, edges: pa.Array) -> pa.Array:
        with duckdb.connect(address) as reader:
            ((threads,),) = reader.execute("SELECT current_setting('threads')").fetchall()
            asked = zip(nodes.to_pylist(), edges.to_pylist(), strict=True)
            return pa.chunked_array(
                [_as_list(*roots(*_rows(reader, *queries), threads=threads)) for queries in asked]
            ).combine_chunks()

    return of_queries


def roots(
    nodes: Indices, left: Indices, right: Indices, threads: int = 1
) -> tuple[Indices, Indices]:
    """The least member of each node's component.

    Args:
        nodes: births, 1 and more; of those that may have no edge.
        left, right: the two ends of every edge.
        threads: how many may look up at a time.

    Returns:
        Every node and every end, each once and in order, and the least that is connected with each,
        itself included.
    """
    births = (nodes, left, right)
    top = max((int(each.max()) for each in births if len(each)), default=0) + 1
    with ThreadPoolExecutor(threads) as pool:
        take = _taking(pool, threads)
        if top <= 4 * sum(map(len, births)):
            # Births are dense, as in a full build: each is its own index.
            is_there = np.zeros(top, dtype=bool)
            for each in births:
                is_there[each] = True
            found = np.flatnonzero(is_there)
            return found, take(_least(left, right, top, take), found)
        # Few that are far apart, as in an increment: numbered anew, in order.
        ends = np.unique_inverse(np.concatenate(births))
        _, one, other = np.split(ends.inverse_indices, [len(nodes), len(nodes) + len(left)])
        return ends.values, ends.values[_least(one, other, len(ends.values), take)]


_Take = Callable[[Indices, Indices], Indices]
"""The values at given places, as often as they are asked for."""


def _least(one: Indices, other: Indices, size: int, take: _Take) -> Indices:
    """By index below `size`, the least index that it is connected with."""
    # 32 bits halve what is read at random, which is what this costs.
    kind: type[np.signedinteger[Any]] = np.int32 if size < 2**31 else np.int64
    lesser, greater = _ends(one.astype(kind, copy=False), other.astype(kind, copy=False))
    above = np.arange(size, dtype=kind)
    rounds: list[Indices] = []
    while len(lesser):
        if rounds:
            np.minimum.at(above, greater, lesser)
        else:
            # Of several that an index could hook onto any will do at first, at a quarter of the
            # cost. Later the least has to be taken: what a thousand edges tie to one index that is
            # greater than all their ends would need as many rounds.
            above[greater] = lesser
        _climb(above, greater if rounds else _hooked(above), take)
        rounds.append(greater)
        low, high = take(above, lesser), take(above, greater)
        parted = np.flatnonzero(low != high)
        lesser, greater = _ends(take(low, parted), take(high, parted))
    # What hooked in one round hangs on roots of that round, some of which hooked in a later one.
    for hooked in rounds[-2:0:-1]:
        _climb(above, hooked, take)
    return take(above, above)


def _hooked(above: Indices) -> Indices:
    return np.flatnonzero(above != np.arange(len(above), dtype=above.dtype))


def _climb(above: Indices, nodes: Indices, take: _Take) -> None:
    """Let each of the nodes hang on its root, whatever it hung on."""
    roots_so_far = take(above, nodes)
    while len(nodes):
        further = take(above, roots_so_far)
        moved = np.flatnonzero(further != roots_so_far)
        nodes, roots_so_far = take(nodes, moved), take(further, moved)
        above[nodes] = roots_so_far


def _ends(one: Indices, other: Indices) -> tuple[Indices, Indices]:
    return np.minimum(one, other), np.maximum(one, other)


def _taking(pool: ThreadPoolExecutor, threads: int) -> _Take:
    """`numpy.take`, with the places of a long list shared among threads."""

    def take(values: Indices, at: Indices) -> Indices:
        # Indices are known to be within bounds; not to look again is a third faster.
        if len(at) < _WORTH_SHARING:
            return np.take(values, at, mode="clip")
        found = np.empty(len(at), dtype=values.dtype)
        parts = zip(np.array_split(at, threads), np.array_split(found, threads), strict=True)
        for _ in pool.map(lambda part: np.take(values, part[0], out=part[1], mode="clip"), parts):
            pass
        return found

    return take


def _rows(
    reader: duckdb.DuckDBPyConnection, nodes: str, edges: str
) -> tuple[Indices, Indices, Indices]:
    """The rows of both queries: `node`, and `left_node`, `right_node`."""
    (node,) = _columns(reader, nodes)
    left, right = _columns(reader, edges)
    return node, left, right


def _columns(reader: duckdb.DuckDBPyConnection, query: str) -> list[Indices]:
    rows = reader.execute(query).to_arrow_table()
    return [column.combine_chunks().to_numpy() for column in rows.columns]


def _as_list(nodes: Indices, found: Indices) -> pa.Array:
    """Both as one list of pairs."""
    pairs = pa.StructArray.from_arrays(
        [pa.array(each, pa.int64()) for each in (nodes, found)], names=["node", "root"]
    )
    return pa.ListArray.from_arrays(pa.array([0, len(pairs)], pa.int32()), pairs)
