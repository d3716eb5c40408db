"""Who is who: the components of a large graph, and of those that new edges change, against peers.

Belongs here: how long the model `int_identity_components` takes over edges that stand in the
warehouse, and the same by others. Does not belong here: whether what comes out is right
(`tests/models`), though no figure counts whose partition is another than the peers'.

Data: people with 1 identifier and more (half have one or two, one in a thousand has twenty), born
in random order, each seen together with one of the same person before it; the rest of the edges, up
to 1.2 for every identifier, repeat what is known between two identifiers of a person. Random births
are the hardest case: no two identifiers of a person lie near each other in memory.

- full: from the table of edges to a table of every identifier's component.
  Peers, from the same tables to such a table, on as many threads: a union-find in C (path halving;
  the lesser root wins) behind Arrow, and Splink's clustering. Ratio: ours / peer's.
- increment: 0.1 % more edges, half of them from identifiers that are new. Peer: our own full solve
  of the same edges, with the same partition. Ratio: increment / full.
- memory: the most that the process of each has held, data included.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure
from benchmarks.machine import forget_peak_memory, peak_memory_gb, seconds

FIGURES = (
    Figure("full_ratio", "components, all of them", "a union-find in C, time", 1.3, "identifiers"),
    Figure(
        "splink_ratio", "components, all of them", "Splink's clustering, time", 1, "identifiers"
    ),
    Figure("memory_gb", "components, all of them", "memory, GB", 3, "identifiers"),
    Figure(
        "increment_ratio",
        "components after 0.1 % new edges",
        "the full solve, time",
        0.02,
        "identifiers",
    ),
)

THREADS = 2
SEED = 20_261_128

UNION_FIND = """
#include <stdint.h>
static int32_t root_of(int32_t *above, int32_t node) {
    while (above[node] != node) { above[node] = above[above[node]]; node = above[node]; }
    return node;
}
void solve(
    int64_t nodes, int64_t edges, const int64_t *left, const int64_t *right, int32_t *above
) {
    for (int64_t i = 0; i < nodes; i++) above[i] = i;
    for (int64_t i = 0; i < edges; i++) {
        int32_t one = root_of(above, left[i]), other = root_of(above, right[i]);
        if (one < other) above[other] = one; else above[one] = other;
    }
    for (int64_t i = 0; i < nodes; i++) above[i] = root_of(above, i);
}
"""


def graph(identifiers: int) -> pa.Table:
    """The edges of so many identifiers: `left_node` < `right_node`, births from 1."""
    random = np.random.default_rng(SEED)
    sizes = random.geometric(0.3, size=identifiers)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), identifiers)) + 1]
    sizes[-1] -= int(sizes.sum()) - identifiers
    births = random.permutation(identifiers) + 1
    person = np.repeat(np.arange(len(sizes)), sizes)
    first = (np.cumsum(sizes) - sizes)[person]
    place = np.arange(identifiers) - first
    later = np.flatnonzero(place > 0)
    earlier = first[later] + (random.random(len(later)) * place[later]).astype(np.int64)
    more = random.integers(0, identifiers, 2 * identifiers)
    beside = first[more] + (random.random(len(more)) * sizes[person[more]]).astype(np.int64)
    between = np.flatnonzero(more != beside)[: int(1.2 * identifiers) - len(later)]
    one = births[np.concatenate([later, more[between]])]
    other = births[np.concatenate([earlier, beside[between]])]
    order = random.permutation(len(one))
    ends = np.minimum(one, other)[order], np.maximum(one, other)[order]
    return pa.table({"left_node": ends[0], "right_node": ends[1]})


def news(identifiers: int, edges: int) -> pa.Table:
    """So many edges more: half between known identifiers, half from one that is new."""
    random = np.random.default_rng(SEED + 1)
    known = random.integers(1, identifiers + 1, edges)
    others = random.integers(1, identifiers + 1, edges)
    others[: edges // 2] = identifiers + 1 + np.arange(edges // 2)
    apart = known != others
    ends = np.minimum(known, others)[apart], np.maximum(known, others)[apart]
    return pa.table({"left_node": ends[0], "right_node": ends[1]})


def ours(data: Path, home: Path, identifiers: int) -> dict[str, Any]:
    """The model itself, in a warehouse of its own: in full, after news, and in full again."""
    from cdp.demo import SHOP_END, generate
    from cdp.generation import SHIPPED_PROJECT
    from cdp.warehouse.modelling import Models
    from cdp.warehouse.runs import begin_run
    from cdp.warehouse.settings import PROJECT_ROOT, load_settings
    from cdp.warehouse.store import Warehouse, open_warehouse
    from orchestration.running import run_job

    generate(home, people=20)
    settings = load_settings(
        home=home, config=PROJECT_ROOT / "config", as_of=SHOP_END, threads=THREADS
    )
    # A small shop makes every table that the model reads; then the graph takes its place.
    assert run_job(settings).success

    def lay(store: Warehouse, part: str, nodes: str, landing_number: int) -> None:
        landed = ", ".join(
            f"{landing_number} AS {which}_landing_number" for which in ("first", "known", "last")
        )
        store.execute(
            "INSERT INTO identity.fct_identity_edges BY NAME SELECT left_node || ' ' || right_node "
            f"AS edge_key, left_node, right_node, 90 AS weakness, false AS is_asserted, {landed} "
            f"FROM '{data}/{part}.parquet'; "
            "INSERT INTO identity.int_identifier_values BY NAME SELECT node AS birth, node, "
            "'anonymous_id' AS identifier_type, 'v' || node AS raw_value, 'v' || node AS "
            f"identifier_value, false AS is_blocked, {landing_number} AS first_landing_number "
            f"FROM ({nodes}); CHECKPOINT"
        )

    with open_warehouse(settings) as store:
        models = Models(settings, SHIPPED_PROJECT)
        run = begin_run(store, "measured", "benchmark")

        def solved(*, full: bool) -> float:
            report = models.build(
                store, run, "identity", select=["int_identity_components"], part=True,
                full_refresh=full,
            )  # fmt: skip
            return report.nodes[0].seconds

        store.execute(
            "DELETE FROM identity.fct_identity_edges; DELETE FROM identity.int_identifier_values; "
            "UPDATE governance.int_current_run SET published_landing_high_water = 0"
        )
        lay(store, "edges", f"SELECT range AS node FROM range(1, {identifiers + 1})", 1)
        full = solved(full=True)
        memory = peak_memory_gb()
        parted = _partition(store.rows, "identity.int_identity_components")
        store.execute("UPDATE governance.int_current_run SET published_landing_high_water = 1")
        lay(
            store,
            "news",
            f"SELECT DISTINCT right_node AS node FROM '{data}/news.parquet' "
            f"WHERE right_node > {identifiers}",
            2,
        )
        forget_peak_memory()
        increment = solved(full=False)
        increment_memory = peak_memory_gb()
        store.execute("CREATE TABLE identity.incremental AS FROM identity.int_identity_components")
        again = solved(full=True)
        ((differing,),) = store.rows(
            "SELECT count(*) FROM identity.incremental AS one FULL JOIN "
            "identity.int_identity_components AS other USING (node) "
            "WHERE one.component_id IS DISTINCT FROM other.component_id"
        )
    assert differing == 0, f"{differing} identifiers are elsewhere after an increment"
    return {
        "full_seconds": full,
        "memory_gb": memory,
        "increment_memory_gb": increment_memory,
        "increment_seconds": increment,
        "full_again_seconds": again,
        "partition": parted,
    }


def union_find(data: Path, home: Path, identifiers: int) -> dict[str, Any]:
    """The peer in C."""
    source, library = home / "union_find.c", home / "union_find.so"
    source.write_text(UNION_FIND)
    subprocess.run(["cc", "-O3", "-shared", "-fPIC", "-o", library, source], check=True)
    solve = ctypes.CDLL(str(library)).solve
    with _tables(data, home / "union_find.duckdb", identifiers) as tables:
        # What the first use of Arrow imports is nobody's work.
        tables.register("nothing", pa.table({"node": pa.array([], pa.int64())}))

        def work() -> None:
            edges = tables.execute("SELECT left_node, right_node FROM edges").to_arrow_table()
            left, right = (edges.column(n).combine_chunks().to_numpy() for n in (0, 1))
            size = int(max(left.max(), right.max())) + 1
            above = np.empty(size, dtype=np.int32)
            ends = [each.ctypes.data_as(ctypes.c_void_p) for each in (left, right, above)]
            solve(ctypes.c_int64(size), ctypes.c_int64(len(left)), *ends)
            # Births are the index, so that nothing has to be looked up to write the table.
            births = np.arange(1, size, dtype=np.int64)
            tables.register("found", pa.table({"node": births, "component_id": above[1:]}))
            tables.execute(
                "CREATE TABLE components AS SELECT node, CAST(component_id AS BIGINT) "
                "AS component_id FROM found UNION ALL SELECT node, node FROM nodes "
                f"WHERE node >= {size}"
            )

        return _measured(work, tables)


def splink(data: Path, home: Path, identifiers: int) -> dict[str, Any]:
    """Splink's own clustering of the same edges."""
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    with _tables(data, home / "splink.duckdb", identifiers) as tables:

        def work() -> None:
            clusters = cluster_pairwise_predictions_at_threshold(
                "nodes",
                "edges",
                DuckDBAPI(connection=tables),
                node_id_column_name="node",
                edge_id_column_name_left="left_node",
                edge_id_column_name_right="right_node",
            )
            tables.execute(
                "CREATE TABLE components AS SELECT node, cluster_id AS component_id "
                f"FROM {clusters.physical_name}"
            )

        return _measured(work, tables)


def _measured(work: Callable[[], None], tables: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    taken = seconds(work)
    memory = peak_memory_gb()
    parted = _partition(lambda sql: tables.execute(sql).fetchall(), "components")
    return {"full_seconds": taken, "memory_gb": memory, "partition": parted}


def _tables(data: Path, path: Path, identifiers: int) -> duckdb.DuckDBPyConnection:
    tables = duckdb.connect(path)
    tables.execute(
        f"SET threads = {THREADS}; CREATE TABLE edges AS FROM '{data}/edges.parquet'; "
        f"CREATE TABLE nodes AS SELECT range AS node FROM range(1, {identifiers + 1}); CHECKPOINT"
    )
    return tables


def _partition(rows: Callable[[str], list[tuple[Any, ...]]], table: str) -> str:
    """What two tables of (node, component_id) share when they say the same, whatever the names."""
    ((said,),) = rows(
        "SELECT sum(hash(node, least_member)) FROM (SELECT node, min(node) OVER "
        f"(PARTITION BY component_id) AS least_member FROM {table})"
    )
    return str(said)


def compare(identifiers: int) -> dict[str, Any]:
    """All three over a graph of so many identifiers, each in a process of its own."""
    with TemporaryDirectory() as name:
        data = Path(name)
        tables = {"edges": graph(identifiers)}
        tables["news"] = news(identifiers, tables["edges"].num_rows // 1000)
        for part, rows in tables.items():
            with duckdb.connect() as writer:
                writer.register("rows", rows)
                writer.execute(f"COPY rows TO '{data}/{part}.parquet'")
        edges = tables["edges"].num_rows
        found = {}
        for contender in (ours, union_find, splink):
            home = data / contender.__name__
            home.mkdir()
            spawning = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawning) as process:
                found[contender.__name__] = process.submit(
                    contender, data, home, identifiers
                ).result()
            shutil.rmtree(home)
    mine, compiled, clustered = found["ours"], found["union_find"], found["splink"]
    assert mine["partition"] == compiled["partition"] == clustered["partition"]
    return {
        "identifiers": identifiers,
        "edges": edges,
        "full_seconds": round(mine["full_seconds"], 2),
        "union_find_seconds": round(compiled["full_seconds"], 2),
        "splink_seconds": round(clustered["full_seconds"], 2),
        "full_ratio": round(mine["full_seconds"] / compiled["full_seconds"], 2),
        "splink_ratio": round(mine["full_seconds"] / clustered["full_seconds"], 2),
        "memory_gb": mine["memory_gb"],
        "increment_memory_gb": mine["increment_memory_gb"],
        "union_find_memory_gb": compiled["memory_gb"],
        "splink_memory_gb": clustered["memory_gb"],
        "new_edges": tables["news"].num_rows,
        "increment_seconds": round(mine["increment_seconds"], 3),
        "full_again_seconds": round(mine["full_again_seconds"], 2),
        "increment_ratio": round(mine["increment_seconds"] / mine["full_again_seconds"], 3),
    }


def run(sizes: Sequence[int] = (1_000_000, 10_000_000)) -> list[dict[str, Any]]:
    """Measure each size, given in identifiers."""
    return [compare(size) for size in sizes]
