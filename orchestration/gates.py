"""The gates: a blocking check between each stage and the next.

Belongs here: on which table of a stage its gate stands, and noting that it has closed. Does not
belong here: what is checked (`expectations`), what the graph shows of a verdict
(`orchestration.verdicts`), keeping the verdict for later runs (`governance.gate_results`, which
publishing goes by: a blocking check only protects its own run).
"""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from cdp.warehouse.runs import STAGES
from orchestration.deployment import BUILT, Deployment
from orchestration.held import KEY, POOL, Held
from orchestration.models import node_key
from orchestration.progress import News
from orchestration.raw import raw_key
from orchestration.serving import tables_of_role
from orchestration.verdicts import evaluation


def gate_checks(deployment: Deployment) -> list[dg.AssetChecksDefinition]:
    """The gates of all stages that a published set is made from."""
    return [_gate(deployment, stage) for stage in STAGES]


def check_name(stage: str) -> str:
    """The name of a gate's check on each table of its stage."""
    return f"{stage}_gate"


def gate_tables(deployment: Deployment, stage: str) -> list[dg.AssetKey]:
    """Where the gate of a stage stands: on tables that the next stage cannot be built without.

    In raw on every source; elsewhere on one table, of those that the next step reads: one that
    people read too if there is any, then the one that most is built from. One check a stage and not
    one a table, because each costs a run more than it tells: a verdict names its tables anyway.
    """
    if stage == "raw":
        return [raw_key(name) for name in deployment.sources]
    readers: Counter[dg.AssetKey] = Counter()
    mine = {unique_id: node_key(node) for unique_id, node in deployment.models_of(stage).items()}
    position = BUILT.index(stage)
    if position + 1 < len(BUILT):
        for node in deployment.models_of(BUILT[position + 1]).values():
            readers.update(mine[each] for each in node["depends_on"]["nodes"] if each in mine)
    else:
        wanted = {key for role in deployment.roles for key in tables_of_role(deployment, role)}
        readers.update(wanted & set(mine.values()))
    best = min(
        readers,
        key=lambda key: (
            key.path[0] != stage,
            not key.path[-1].startswith(("dim_", "fct_")),
            -readers[key],
            key.path,
        ),
    )
    return [best]


def _gate(deployment: Deployment, stage: str) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=check_name(stage),
        specs=[
            dg.AssetCheckSpec(
                check_name(stage),
                asset=key,
                description=f"What stage {stage} must hold before anything is built on it.",
                blocking=True,
            )
            for key in gate_tables(deployment, stage)
        ],
        can_subset=True,
        pool=POOL,
        required_resource_keys={KEY},
    )
    def gate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        held: Held = context.resources.warehouse
        # Great Expectations takes seconds to import.
        from expectations.gates import validate

        verdict = validate(
            stage,
            held.store,
            held.run,
            project=held.deployment.project,
            unchanged=stage in held.left_alone,
        )
        held.tell(News("gate", stage, verdict.passed, detail=verdict))
        if not verdict.passed:
            held.closed_gates.append(verdict)
        for key in sorted(each.asset_key for each in context.selected_asset_check_keys):
            yield evaluation(check_name(stage), key, verdict, verdict.checks)

    return gate
