"""The one resource: the warehouse, held by a run from its first step to its last.

Belongs here: taking the writer's lock, giving the run its clock, closing the run, and saying so
when it failed. Every asset and check asks for it under the key `warehouse`, so whoever starts
whatever part of the graph holds the lock for all of it (jobs run their steps in one process).
Does not belong here: what a step does with it.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg

from cdp.warehouse import pending
from cdp.warehouse.modelling import Models
from cdp.warehouse.publishing import recover_publication
from cdp.warehouse.runs import Run, begin_run, finish_run
from cdp.warehouse.store import Warehouse, WarehouseBusy, open_warehouse
from orchestration.deployment import Deployment
from orchestration.instance import write_behind
from orchestration.progress import Listener, News

KEY = "warehouse"
"""The key under which steps ask for the resource."""

TRIGGER = "tributary/trigger"
"""Tag of a run that says what started it, where that was neither a schedule nor a sensor."""

ALERTED = "tributary/alerted"
"""Tag of a run whose failure has been told."""

POOL = "warehouse"
"""The pool that all steps are in; its limit of one makes launched runs queue."""


@dataclass(frozen=True)
class Held:
    """The warehouse of a deployment in the hands of one run."""

    store: Warehouse
    run: Run
    models: Models
    deployment: Deployment
    tell: Listener
    left_alone: set[str] = field(default_factory=set)
    """Stages that this run did not build because nothing was new."""

    @cached_property
    def rebuild(self) -> bool:
        """Whether current tables are built in full, because the logic changed."""
        return pending.logic_changed(self.store, self.run)

    @cached_property
    def quiet(self) -> bool:
        """Whether a rebuild would change nothing; to be asked once landing is over."""
        return pending.nothing_new(self.store, self.run, self.deployment.sources)


def warehouse_resource(deployment: Deployment, tell: Listener) -> dg.ResourceDefinition:
    """The resource that holds the warehouse of a deployment for one run."""

    @dg.resource(description="The warehouse, held by one run at a time, and the run's one clock.")
    def warehouse(context: dg.InitResourceContext) -> Iterator[Held]:
        dagster_run = context.run
        assert dagster_run is not None, "steps only run inside a run"
        write_behind(deployment.settings)
        with _opened(deployment, tell, context) as store:
            recover_publication(store)
            run = begin_run(store, dagster_run.run_id, trigger_of(dagster_run))
            models = Models(deployment.settings, deployment.project)
            tell(News("started", run.run_id, detail=run))
            yield Held(store, run, models, deployment, tell)
            failed = failed_steps(context.instance, dagster_run.run_id) if context.instance else []
            finish_run(store, run, "failed" if failed else "finished")

    return warehouse


def trigger_of(run: dg.DagsterRun) -> str:
    """What started a run: a schedule, a sensor, the command line, or a person in the UI."""
    for tag, kind in (("dagster/schedule_name", "schedule"), ("dagster/sensor_name", "sensor")):
        if tag in run.tags:
            return f"{kind} {run.tags[tag]}"
    return run.tags.get(TRIGGER, "ui")


@contextmanager
def _opened(
    deployment: Deployment, tell: Listener, context: dg.InitResourceContext
) -> Iterator[Warehouse]:
    """The warehouse, after waiting for whoever holds it, and saying that it waits."""
    with ExitStack() as stack:
        try:
            store = stack.enter_context(open_warehouse(deployment.settings, 0))
        except WarehouseBusy:
            started = time.monotonic()
            tell(News("waiting", "warehouse"))
            if context.log:
                context.log.info("Another run holds the warehouse; waiting for it to finish.")
            store = stack.enter_context(open_warehouse(deployment.settings))
            if context.log:
                context.log.info(f"Waited {time.monotonic() - started:.1f} s for the warehouse.")
        yield store


def failed_steps(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The steps of a run that have failed for good, in the order in which they did."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    return [
        event.step_key
        for record in records
        if (event := record.event_log_entry.dagster_event) and event.step_key
    ]
