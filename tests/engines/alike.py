"""Runs of the whole way on the embedded engine and on another one, and how what is read differs.

Belongs here: the same deliveries at the same moments on both. Does not belong here: what is
delivered (`deliveries`), any engine's settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from tests.engines.copying import difference
from tests.engines.deliveries import OF_THE_MACHINE, Deliver
from tests.engines.the_way import the_way

ROLE = "marketing"


def answers_alike(
    folder: Path,
    deliver: Deliver,
    moments: Sequence[str],
    other: Mapping[str, str],
    config: Path | None = None,
) -> Path:
    """Run the whole way at each moment on both engines and compare what is read after each.

    Args:
        folder: where the two homes are made.
        other: the settings of the other engine, as variables of the environment.
        config: the configuration of both, where it is not the demo's.

    Returns:
        The home of the other engine.
    """
    embedded, there = folder / "embedded", folder / "other"
    of_both = {"CDP_MEMORY_LIMIT": "2GB"} | ({"CDP_CONFIG": str(config)} if config else {})
    for home in (embedded, there):
        home.mkdir()
    expected = []
    with the_way(embedded, ROLE, **of_both) as way:
        for number, moment in enumerate(moments):
            deliver(embedded, number)
            expected.append(way.run(moment))
    # One after the other: Spark alone fills a small machine.
    with the_way(there, ROLE, **of_both, **other) as way:
        for number, moment in enumerate(moments):
            deliver(there, number)
            assert _differences(expected[number], way.run(moment)) == {}, f"run {number}"
    rows = {name: pq.read_metadata(path).num_rows for name, path in expected[-1].items()}
    assert all(rows[name] for name in ("dim_profiles", "fct_orders", "fct_segment_memberships"))
    return there


def _differences(one: Mapping[str, Path], other: Mapping[str, Path]) -> dict[str, str]:
    assert set(one) == set(other)
    found = {
        name: difference(pq.read_table(one[name]), pq.read_table(other[name]), OF_THE_MACHINE)
        for name in one
    }
    return {name: told for name, told in found.items() if told}
