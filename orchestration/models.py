"""The dbt models: one step per stage, one asset per table, built in this process.

Belongs here: how a dbt node looks as an asset, and what a step reports of the tables it built. Does
not belong here: what any model says (`dbt_project/`), how dbt is run (`cdp.warehouse.modelling`).
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from cdp.warehouse import pending
from cdp.warehouse.modelling import ModelsFailed, NodeResult
from cdp.warehouse.runs import mark_stage, stage_states
from cdp.warehouse.store import Warehouse
from orchestration.column_lineage import KeptLineage, Lineage, Query, Table
from orchestration.deployment import BUILT, Deployment, owners
from orchestration.held import KEY, POOL, Held
from orchestration.progress import News

EVERY_RUN = "every_run"
"""Tag of models that tell what a run is: a run with nothing new builds these and no others."""

CHANGE_SET = "change_set"
"""Tag of models that tell what a run found changed: a run with nothing new has found nothing."""

_CURRENT_RUN = dg.AssetKey(["governance", "int_current_run"])

_READS_ALL_OF_RAW = "macro.tributary.raw_tables"


class Translator(DagsterDbtTranslator):
    """How a dbt node looks as an asset: key [schema, name], in the group of its folder."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=False))

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        if _READS_ALL_OF_RAW in (node.get("depends_on") or {}).get("macros", ()):
            # The macro finds the tables in the graph, which dbt does not count as depending.
            raw = [
                node_key(each)
                for each in manifest["sources"].values()
                if each["source_name"] == "raw"
            ]
            known = {dep.asset_key for dep in spec.deps}
            return spec.replace_attributes(
                deps=[*spec.deps, *(dg.AssetDep(key) for key in raw if key not in known)]
            )
        return spec

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return node_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["schema"])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["description"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return owners(_meta(dbt_resource_props).get("owner"))

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
        kind = _meta(dbt_resource_props).get("kind")
        return {str(kind): ""} if kind else {}


def node_key(node: Mapping[str, Any]) -> dg.AssetKey:
    """The asset of a dbt model, seed or source."""
    return dg.AssetKey([node["schema"], node.get("identifier") or node["name"]])


def source_specs(deployment: Deployment) -> list[dg.AssetSpec]:
    """Tables that models read and that neither landing nor dbt writes."""
    described = {
        node_key(node): node["description"]
        for node in deployment.manifest["sources"].values()
        if node["schema"] not in ("raw", "source")
    }
    return [
        dg.AssetSpec(
            key,
            description=description,
            group_name=key.path[0],
            kinds={deployment.settings.target},
            tags={"recorded": ""},
            owners=deployment.platform_owners(),
        )
        for key, description in sorted(described.items())
    ]


def model_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Every model and seed as an asset, a step per stage."""
    translator = Translator()
    return [_stage(deployment, stage, translator) for stage in BUILT]


def _stage(deployment: Deployment, stage: str, translator: Translator) -> dg.AssetsDefinition:
    nodes = {node_key(node): node for node in _ordered(deployment.models_of(stage))}
    seeds = (
        {node_key(node): node for node in deployment.seeds().values()} if stage == BUILT[0] else {}
    )

    @dbt_assets(
        manifest=deployment.manifest,
        select=f"tag:{stage} tag:seeds" if seeds else f"tag:{stage}",
        name=f"build_{stage}",
        dagster_dbt_translator=translator,
        required_resource_keys={KEY},
        pool=POOL,
    )
    def build(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        held: Held = context.resources.warehouse
        chosen = set(context.selected_asset_keys)
        if chosen & set(seeds):
            loaded = _seed(held, seeds)
            for key in sorted(chosen & set(seeds)):
                yield _seen(held.store, key, {"loaded in this run": loaded})
        wanted = {key: node for key, node in nodes.items() if key in chosen}
        if not wanted:
            return
        done: list[NodeResult] = []
        failure: ModelsFailed | None = None
        try:
            quiet = _build(held, stage, wanted, len(wanted) == len(nodes), done)
        except ModelsFailed as error:
            quiet, failure = False, error
        yield from _report(held, wanted, done, quiet, failed=failure is not None)
        if failure:
            raise dg.Failure(str(failure), allow_retries=False) from failure

    return build


def _ordered(nodes: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Nodes after those that they are built from, which is how a step has to report them."""
    above = {
        unique_id: [each for each in node["depends_on"]["nodes"] if each in nodes]
        for unique_id, node in nodes.items()
    }
    return [nodes[unique_id] for unique_id in TopologicalSorter(above).static_order()]


def _seed(held: Held, seeds: Mapping[dg.AssetKey, Any]) -> bool:
    tables = [(key.path[0], key.path[1]) for key in seeds]
    changed = pending.seeds_changed(held.store, held.deployment.project, tables)
    if changed:
        held.models.seed()
        pending.note_seeds(held.store, held.run, held.deployment.project)
        held.tell(News("seeded", "seeds"))
    return changed


def _build(
    held: Held,
    stage: str,
    wanted: Mapping[dg.AssetKey, Mapping[str, Any]],
    whole: bool,
    done: list[NodeResult],
) -> bool:
    """Build a stage, or what is wanted of it; say whether there was nothing to do."""

    def heard(node: NodeResult) -> None:
        done.append(node)
        good = node.status == "success"
        held.tell(News("model", f"{node.schema}.{node.name}", good, node.seconds))

    started = time.monotonic()
    quiet = whole and not held.rebuild and held.quiet
    if quiet:
        if stage == BUILT[0]:
            # All at once, for each call of dbt costs more than such a model. None of them depends
            # on a table that a later stage would have changed: in a quiet run none is.
            held.models.build(
                held.store, held.run, stage, select=[f"tag:{EVERY_RUN}"], on_node=heard
            )
            _empty_change_set(held)
        mark_stage(held.store, held.run, stage, "built")
        held.left_alone.add(stage)
    else:
        part = not whole or not _stands_on_this_run(held, stage)
        if part and _CURRENT_RUN not in wanted:
            # Its rows must not bear the number of a run that has been published already.
            held.models.build(
                held.store,
                held.run,
                stage,
                select=[_CURRENT_RUN.path[-1]],
                part=True,
                on_node=heard,
            )
        held.models.build(
            held.store,
            held.run,
            stage,
            select=None if whole else [node["name"] for node in wanted.values()],
            part=part,
            full_refresh=held.rebuild,
            views=not whole or held.rebuild or not _views_stand(held.store, wanted.values()),
            on_node=heard,
        )
    detail = {"tables": len(done), "quiet": quiet}
    held.tell(News("built", stage, seconds=time.monotonic() - started, detail=detail))
    return quiet


def _stands_on_this_run(held: Held, stage: str) -> bool:
    """Whether the stages before were built whole by this run too."""
    states = stage_states(held.store)
    before = BUILT[: BUILT.index(stage)]
    return all(
        states[each].built_by == held.run.run_id and states[each].complete for each in before
    )


def _empty_change_set(held: Held) -> None:
    for node in held.deployment.manifest["nodes"].values():
        if CHANGE_SET in node.get("tags", ()):
            held.store.execute(f'DELETE FROM {node["schema"]}."{node["name"]}"')


def _views_stand(store: Warehouse, nodes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the views among the nodes are all there, so that a run of the same logic, which is
    what a run that rebuilds nothing is, would write them as they are."""
    views = {(n["schema"], n["name"]) for n in nodes if n["config"]["materialized"] == "view"}
    return views <= store.views()


# --- what a step reports -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Observed:
    rows: Mapping[Table, int]
    lineage: Mapping[Table, Lineage]


def _report(
    held: Held,
    wanted: Mapping[dg.AssetKey, Mapping[str, Any]],
    done: Iterable[NodeResult],
    quiet: bool,
    failed: bool,
) -> Iterator[dg.MaterializeResult[Any]]:
    built = {(node.schema, node.name): node for node in done if node.status == "success"}
    told = {
        key: node
        for key, node in wanted.items()
        if not failed or (node["schema"], node["name"]) in built
    }
    observed = _observe(held, told.values(), trace=not quiet)
    for key, node in told.items():
        table = (node["schema"], node["name"])
        metadata: dict[str, Any] = {"holds as it was": table not in built}
        if table in built:
            metadata["seconds"] = round(built[table].seconds, 3)
        if table in observed.rows:
            metadata["dagster/row_count"] = observed.rows[table]
        if observed.lineage.get(table):
            metadata["dagster/column_lineage"] = _column_lineage(observed.lineage[table])
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)


def _observe(held: Held, nodes: Iterable[Mapping[str, Any]], *, trace: bool) -> _Observed:
    nodes = list(nodes)
    counted = [
        (node["schema"], node["name"])
        for node in nodes
        # Counting a view runs its query once more, so of views only the segments are counted, which
        # select from a table, and only where they may have changed.
        if node["config"]["materialized"] != "view"
        or (trace and node["schema"] == "segments" and not node["name"].startswith("int_"))
    ]
    kept = KeptLineage(held.deployment.settings.dbt_dir / "lineage", held.deployment.fingerprint)
    declared = dict(_declared_lineage(nodes))
    if not trace:
        return _Observed(_row_counts(held.store, counted), {**kept.known(), **declared})
    compiled = held.models.manifest().nodes
    queries = [
        Query((node["schema"], node["name"]), sql)
        for node in nodes
        if node["language"] == "sql"
        and (sql := getattr(compiled[node["unique_id"]], "compiled_code", None))
    ]
    traced = kept.of(queries, held.store.relations(), held.store.settings.target)
    lineage = {**kept.known(), **traced, **declared}
    return _Observed(_row_counts(held.store, counted), lineage)


def _declared_lineage(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Table, Lineage]]:
    """What models that are no SQL say of themselves."""
    for node in nodes:
        if taken_from := _meta(node).get("taken_from"):
            yield (
                (node["schema"], node["name"]),
                {column: frozenset(map(_column, names)) for column, names in taken_from.items()},
            )


def _column(name: str) -> tuple[Table, str]:
    schema, table, column = name.split(".")
    return (schema, table), column


def _row_counts(store: Warehouse, tables: Iterable[Table]) -> dict[Table, int]:
    query = " UNION ALL ".join(
        f"SELECT '{schema}', '{name}', count(*) FROM {schema}.\"{name}\"" for schema, name in tables
    )
    return {(row[0], row[1]): row[2] for row in store.rows(query)} if query else {}


def _column_lineage(lineage: Lineage) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(dg.AssetKey(list(table)), name) for table, name in sorted(sources)
            ]
            for column, sources in lineage.items()
            if sources
        }
    )


def _seen(
    store: Warehouse, key: dg.AssetKey, metadata: dict[str, Any]
) -> dg.MaterializeResult[Any]:
    schema, name = key.path
    rows = _row_counts(store, [(schema, name)])[schema, name]
    return dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": rows, **metadata})


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(node.get("meta") or {}), **((node.get("config") or {}).get("meta") or {})}
