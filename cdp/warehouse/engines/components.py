"""Connected components, compiled: what `connected_components` of the models calls on DuckDB.

Belongs here: the function, and making it known to the embedded engine. Does not belong here: which
edges count (the models), components on other engines, where SQL finds them
(`dbt_project/macros/project/connected_components.sql`).

The method is that of the SQL, hooking and pointer jumping, over arrays: of the two ends of an edge
the greater hooks onto the lesser, hooks are followed to their roots, and edges within one root fall
away, until none is left. What SQL joins for, an array looks up.
Rows pass as lists, since a function of DuckDB's takes values and not tables; Arrow hands them over
without a copy.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb.func import PythonUDFType

NAME = "connected_roots"

Indices = npt.NDArray[np.integer[Any]]

_BIRTHS = "BIGINT[]"
_ROOTS = "STRUCT(node BIGINT, root BIGINT)[]"


def known_to(instance: duckdb.DuckDBPyConnection) -> None:
    """Make `connected_roots(left_nodes, right_nodes)` a function of an instance; once is enough."""
    # A function is the instance's, and outlives the connection that made it.
    with suppress(duckdb.CatalogException, duckdb.NotImplementedException):
        instance.create_function(
            NAME,
            _of_lists,
            [_BIRTHS, _BIRTHS],
            _ROOTS,
            type=PythonUDFType.ARROW,
        )


def roots(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The least member of each node's component.

    Args:
        left, right: BIGINT, the two ends of every edge; none of them null.

    Returns:
        The nodes that have an edge, each once and in order, and the least node that is connected
        with each.
    """
    if not len(left):
        return pa.array([], pa.int64()), pa.array([], pa.int64())
    one, other = left.to_numpy(), right.to_numpy()
    top = int(max(one.max(), other.max())) + 1
    if top <= 4 * len(one):
        # Births are dense, as in a full build: each is its own index.
        found = _least(one, other, top)
        has_edge = np.zeros(top, dtype=bool)
        has_edge[one] = True
        has_edge[other] = True
        nodes = np.flatnonzero(has_edge)
        return pa.array(nodes), pa.array(found[nodes].astype(np.int64, copy=False))
    # Few edges between births that are far apart, as in an increment: numbered anew, in order.
    ends = np.unique_inverse(np.concatenate([one, other]))
    places = ends.inverse_indices
    found = _least(places[: len(one)], places[len(one) :], len(ends.values))
    return pa.array(ends.values), pa.array(ends.values[found])


def _least(one: Indices, other: Indices, size: int) -> Indices:
    """By index below `size`, the least index that it is connected with."""
    # 32 bits halve what is read at random, which is what this costs.
    kind: type[np.signedinteger[Any]] = np.int32 if size < 2**31 else np.int64
    lesser, greater = _ends(one.astype(kind, copy=False), other.astype(kind, copy=False))
    above = np.arange(size, dtype=kind)
    rounds: list[Indices] = []
    while len(lesser):
        np.minimum.at(above, greater, lesser)
        _climb(above, greater if rounds else np.flatnonzero(above != np.arange(size, dtype=kind)))
        rounds.append(greater)
        low, high = _taken(above, lesser), _taken(above, greater)
        parted = np.flatnonzero(low != high)
        lesser, greater = _ends(_taken(low, parted), _taken(high, parted))
    # What hooked in one round hangs on roots of that round, some of which hooked in a later one.
    for hooked in rounds[-2:0:-1]:
        _climb(above, hooked)
    return _taken(above, above)


def _climb(above: Indices, nodes: Indices) -> None:
    """Let each of the nodes hang on its root, whatever it hung on."""
    roots_so_far = _taken(above, nodes)
    while len(nodes):
        further = _taken(above, roots_so_far)
        moved = np.flatnonzero(further != roots_so_far)
        nodes, roots_so_far = _taken(nodes, moved), _taken(further, moved)
        above[nodes] = roots_so_far


def _ends(one: Indices, other: Indices) -> tuple[Indices, Indices]:
    return np.minimum(one, other), np.maximum(one, other)


def _taken(values: Indices, at: Indices) -> Indices:
    # Indices are known to be within bounds; not to look again is a third faster.
    return np.take(values, at, mode="clip")


def _of_lists(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Array:
    """`roots` of each row's two lists, as a list of pairs."""
    found = []
    for one, other in zip(left.chunks, right.chunks, strict=True):
        for row in range(len(one)):
            nodes, firsts = roots(one[row].values, other[row].values)
            pairs = pa.StructArray.from_arrays([nodes, firsts], names=["node", "root"])
            found.append(pa.ListArray.from_arrays(pa.array([0, len(pairs)], pa.int32()), pairs))
    return pa.concat_arrays(found)
