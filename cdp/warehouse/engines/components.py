"""Connected components, compiled: what `connected_components` of the models asks for on DuckDB.

Belongs here: finding them, and laying them where a statement can read them. Does not belong here:
which edges count (the models), how dbt comes to ask (`dbt_embedded`), components on other engines,
where SQL finds them (`dbt_project/macros/project/connected_components.sql`).

The method is that of the SQL, hooking and pointer jumping, over arrays: of the two ends of an edge
the greater hooks onto a lesser, hooks are followed to their roots, and edges within one root fall
away, until none is left. What SQL joins for, an array looks up.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Indices = npt.NDArray[np.integer[Any]]

_FOUND = "connected_components_found"

_PART = 1 << 18
"""Indices that are worked on at a time: what is made of them stays near the processor, and handing
them to another thread costs nothing beside the work."""


def lay(reader: duckdb.DuckDBPyConnection, nodes: str, edges: str, *, to_be_joined: bool) -> str:
    """Solve what two queries give, and lay what was found where the connection can read it.

    Args:
        reader: runs the queries; what is laid is its own, until it is closed or lays again.
        nodes, edges: give `node`, and `left_node` and `right_node`.
        to_be_joined: lay rows of the engine. Otherwise they are read where they were found, which
            saves a copy; but a join may filter what it reads in a form that DuckDB cannot hand to
            Arrow, and fail.

    Returns:
        The name of (node, root): every node and every end of an edge, once and in order.
    """
    (node,) = _columns(reader, nodes)
    left, right = _columns(reader, edges)
    ((threads,),) = reader.execute("SELECT current_setting('threads')").fetchall()
    columns = dict(zip(("node", "root"), roots(node, left, right, threads), strict=True))
    found = pa.table({name: pa.array(each, pa.int64()) for name, each in columns.items()})
    arriving = f"{_FOUND}_arriving"
    # Threads share the reading by batches.
    batches = found.to_batches(max_chunksize=_PART)
    reader.register(arriving, pa.Table.from_batches(batches, found.schema))
    if not to_be_joined:
        return arriving
    reader.execute(f"CREATE OR REPLACE TEMPORARY TABLE {_FOUND} AS FROM {arriving}")
    reader.unregister(arriving)
    return _FOUND


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
        parts = _in_parts(pool)
        if top <= 4 * sum(map(len, births)):
            # Births are dense, as in a full build: each is its own index.
            least = _least(left, right, top, parts)
            found = _occurring(*births, least, parts)
            everywhere = len(found) == top - 1
            return found, least[1:] if everywhere else _at(least, found)
        # Few that are far apart, as in an increment: numbered anew, in order.
        ends = np.unique_inverse(np.concatenate(births))
        _, one, other = np.split(ends.inverse_indices, [len(nodes), len(nodes) + len(left)])
        return ends.values, ends.values[_least(one, other, len(ends.values), parts)]


_Work = Callable[[slice], Any]
_Parts = Callable[[int, _Work], list[Any]]
"""What work on each part of so many indices gives, in order; parts are worked on by threads."""


def _least(one: Indices, other: Indices, size: int, parts: _Parts) -> Indices:
    """By index below `size`, the least index that it is connected with.

    Threads write what others read. Whatever an index is found to hang on is an ancestor, and while
    indices climb no root moves, so that an older answer only makes the way longer.
    """
    # 32 bits halve what is read at random, which is what this costs.
    kind: type[np.signedinteger[Any]] = np.int32 if size < 2**31 else np.int64
    above = np.arange(size, dtype=kind)
    lesser, greater = (np.empty(len(one), dtype=kind) for _ in range(2))

    def hook(part: slice) -> None:
        # Of several that an index could hook onto any will do at first, at a quarter of the cost.
        lesser[part] = np.minimum(one[part], other[part])
        hooked = np.maximum(one[part], other[part])
        greater[part] = hooked
        above[hooked] = lesser[part]

    def climb(part: slice) -> None:
        _climb(above, _places(part, size))

    def climb_later(part: slice) -> None:
        _climb(above, hooked_now[part])

    def apart(part: slice) -> tuple[Indices, Indices]:
        """The roots of both ends of every edge that still ties two."""
        low, high = _at(above, lesser[part]), _at(above, greater[part])
        parted = np.flatnonzero(low != high)
        low, high = low[parted], high[parted]
        return np.minimum(low, high), np.maximum(low, high)

    parts(len(one), hook)
    parts(size, climb)
    lesser, greater = _joined(parts(len(lesser), apart), kind)
    if not len(lesser):
        return above
    while len(lesser):
        # Now the least has to be taken: what a thousand edges tie to one index that is greater than
        # all their ends would need as many rounds.
        np.minimum.at(above, greater, lesser)
        # In their order, so that what an index hangs on was climbed before it or is just then: a
        # chain that leads through parts yet to come would be walked one hook at a time.
        hooked_now = np.unique(greater)
        parts(len(hooked_now), climb_later)
        lesser, greater = _joined(parts(len(lesser), apart), kind)
    # What hooked in one round hangs on roots of that round, some of which hooked in a later one.
    parts(size, climb)
    return above


def _climb(above: Indices, nodes: Indices) -> None:
    """Let each of the nodes hang on its root, whatever it hung on."""
    hanging_on = _at(above, nodes)
    while len(nodes):
        further = _at(above, hanging_on)
        moved = np.flatnonzero(further != hanging_on)
        nodes, hanging_on = nodes[moved], further[moved]
        # Written at once, so that whoever climbs over these goes twice as far.
        above[nodes] = hanging_on


def _places(part: slice, size: int) -> Indices:
    return np.arange(part.start, min(part.stop, size))


def _at(values: Indices, places: Indices) -> Indices:
    # Places are known to be within bounds; not to look again is a third faster.
    return np.take(values, places, mode="clip")


def _joined(ends: list[tuple[Indices, Indices]], kind: Any) -> tuple[Indices, Indices]:
    none = np.empty(0, dtype=kind)
    lesser, greater = ([pair[which] for pair in ends] for which in (0, 1))
    return np.concatenate([none, *lesser]), np.concatenate([none, *greater])


def _occurring(
    nodes: Indices, left: Indices, right: Indices, least: Indices, parts: _Parts
) -> Indices:
    """Every node and every end, in order."""
    is_there = np.zeros(len(least), dtype=bool)

    def given(part: slice) -> None:
        is_there[nodes[part]] = True

    def tied_to_itself(part: slice) -> None:
        is_there[left[part][left[part] == right[part]]] = True

    def tied(part: slice) -> None:
        # An end of an edge hangs on another, or another hangs on it.
        hanging = np.flatnonzero(least[part] != _places(part, len(least)))
        is_there[part][hanging] = True
        is_there[least[part][hanging]] = True

    parts(len(nodes), given)
    if not is_there[1:].all():
        parts(len(left), tied_to_itself)
        parts(len(least), tied)
    return np.flatnonzero(is_there)


def _in_parts(pool: ThreadPoolExecutor) -> _Parts:
    def in_parts(length: int, work: _Work) -> list[Any]:
        slices = [slice(start, start + _PART) for start in range(0, length, _PART)]
        # One part alone is not worth a thread.
        return list(map(work, slices) if len(slices) < 2 else pool.map(work, slices))

    return in_parts


def _columns(reader: duckdb.DuckDBPyConnection, query: str) -> list[Indices]:
    rows = reader.execute(query).to_arrow_table()
    return [column.combine_chunks().to_numpy() for column in rows.columns]
