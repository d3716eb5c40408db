"""Serving: one asset per reader role, published together or not at all.

Belongs here: which tables a role's set is made from, as lineage, and what publishing tells. Does
not belong here: whether and how a set is published (`cdp.warehouse.publishing`), its gate
(`expectations`).
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from cdp.config.roles import SECTIONS, expand
from cdp.warehouse.engines.known import engine_of
from cdp.warehouse.publishing import PublishRefused, publish, refuse_if_changed_meanwhile
from cdp.warehouse.settings import Settings
from cdp.warehouse.shelf import Place
from expectations.checks import GateVerdict
from orchestration.deployment import BUILT, Deployment
from orchestration.held import KEY, POOL, Held
from orchestration.models import CHANGE_SET, EVERY_RUN, node_key
from orchestration.progress import News
from orchestration.verdicts import evaluation

STAGE = "serving"
CHECK = f"{STAGE}_gate"
FRESH_WITHIN = timedelta(hours=26)
"""A day, as the schedule has it, and time for the run itself."""


def set_key(role: str) -> dg.AssetKey:
    """The asset of a role's published set."""
    return dg.AssetKey(["serving", role])


def tables_of_role(deployment: Deployment, role: str) -> list[dg.AssetKey]:
    """The tables that the published set of a role is made from."""
    tables = {
        (key.path[0], key.path[1])
        for stage in BUILT
        for key in map(node_key, deployment.models_of(stage).values())
    }
    return sorted(
        dg.AssetKey(list(table))
        for section in SECTIONS
        for table in expand(deployment.roles[role].patterns(section), tables)
    )


def _kinds(settings: Settings) -> set[str]:
    """What a set is kept in."""
    return {settings.target, "file"} if engine_of(settings).sets_of_files else {settings.target}


def serving_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """The published sets, as one step."""
    specs = [
        dg.AssetSpec(
            set_key(name),
            deps=tables_of_role(deployment, name),
            description=f"The published set of role {name}. {role.description}",
            group_name="serving",
            kinds=_kinds(deployment.settings),
            tags={"current": ""},
            owners=deployment.platform_owners(),
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FRESH_WITHIN),
        )
        for name, role in deployment.roles.items()
    ]

    @dg.multi_asset(
        name="publish",
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=spec.key,
                description="What the candidate set must hold before readers are pointed at it.",
                blocking=True,
            )
            for spec in specs
        ],
        pool=POOL,
        required_resource_keys={KEY},
    )
    def published(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        held: Held = context.resources.warehouse
        # Great Expectations takes seconds to import.
        from expectations.serving import validate_set

        verdicts: list[GateVerdict] = []

        def validate(candidate: Place) -> bool:
            verdict = validate_set(candidate, held.store, held.run, project=held.deployment.project)
            verdicts.append(verdict)
            held.tell(News("gate", verdict.stage, verdict.passed, detail=verdict))
            if not verdict.passed:
                held.closed_gates.append(verdict)
            return verdict.passed

        try:
            refuse_if_changed_meanwhile(held.store, held.run)
            publication = publish(
                held.store,
                held.run,
                project=held.deployment.project,
                validate=validate,
                untouched=_untouched(held),
            )
        except PublishRefused as error:
            held.tell(News("published", error.stage, ok=False, detail=str(error)))
            for verdict in verdicts:
                for name in held.deployment.roles:
                    yield _of_role(held.deployment, name, verdict)
            raise dg.Failure(str(error), allow_retries=False) from error
        held.tell(News("published", publication.set_name, True, publication.seconds, publication))
        for name in held.deployment.roles:
            yield dg.MaterializeResult(
                asset_key=set_key(name),
                metadata={
                    "set": publication.set_name,
                    "as_of": held.run.as_of.isoformat() + "Z",
                    "place": _shown(publication.place, name),
                    "dagster/row_count": sum(publication.rows[name].values()),
                    "bytes": publication.bytes[name],
                },
                check_results=[_of_role(held.deployment, name, verdict) for verdict in verdicts],
            )

    return [published]


def _shown(place: Place, role: str) -> dg.MetadataValue[Any]:
    if isinstance(place, Path):
        return dg.MetadataValue.path(place / role)
    return dg.MetadataValue.text(f"{place}_{role}")


def _of_role(deployment: Deployment, name: str, verdict: GateVerdict) -> dg.AssetCheckResult:
    """What the gate found out about a role's set: about its files, and about what all share."""
    others = tuple(f"{STAGE}.{role}." for role in deployment.roles if role != name)
    mine = [check for check in verdict.checks if not check.table.startswith(others)]
    return evaluation(CHECK, set_key(name), verdict, mine)


def _untouched(held: Held) -> list[str]:
    """Tables that this run has left alone, as `schema.table`; a view may read what it has not."""
    return [
        f"{node['schema']}.{node['name']}"
        for stage in held.left_alone
        for node in held.deployment.models_of(stage).values()
        if node["config"]["materialized"] != "view"
        and not {EVERY_RUN, CHANGE_SET} & set(node["tags"])
    ]
