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

from cdp.config.matching_parameters import untrained
from cdp.warehouse import pending
from cdp.warehouse.modelling import Models
from cdp.warehouse.publishing import recover_publication
from cdp.warehouse.quarantined_clusters import entered
from cdp.warehouse.runs import CHANGED_MEANWHILE, Run, begin_run, finish_run, logic_hash
from cdp.warehouse.store import Warehouse, WarehouseBusy, open_warehouse
from expectations.checks import GateVerdict
from ingestion.promotion import ensure_tables, take_back
from orchestration.alerting import (
    claim_of_quarantine,
    failed_steps,
    tell_if_untold,
    tell_of_failed_run,
    tell_of_quarantine,
)
from orchestration.deployment import Deployment
from orchestration.instance import write_behind
from orchestration.lost_runs import alive
from orchestration.progress import Listener, News, whoever_listens

KEY = "warehouse"
"""The key under which steps ask for the resource."""

TRIGGER = "tributary/trigger"
"""Tag of a run that says what started it, where that was neither a schedule nor a sensor."""

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
    closed_gates: list[GateVerdict] = field(default_factory=list)
    """What the gates that did not let a stage pass have found."""

    @cached_property
    def rebuild(self) -> bool:
        """Whether current tables are built in full, because the logic changed."""
        return pending.logic_changed(self.store, self.run)

    @cached_property
    def quiet(self) -> bool:
        """Whether a rebuild would change nothing; to be asked once landing is over."""
        return pending.nothing_new(self.store, self.run, self.deployment.sources)


def warehouse_resource(deployment: Deployment) -> dg.ResourceDefinition:
    """The resource that holds the warehouse of a deployment for one run."""

    @dg.resource(description="The warehouse, held by one run at a time, and the run's one clock.")
    def warehouse(context: dg.InitResourceContext) -> Iterator[Held]:
        dagster_run = context.run
        assert dagster_run is not None, "steps only run inside a run"
        instance = context.instance
        assert instance is not None, "a run has an instance"
        write_behind(deployment.settings)
        # Asked for here: what a run tells may be told in another thread.
        tell = whoever_listens()
        # An alert may take minutes: a kill in the midst of it must be noticed as any other.
        with alive(deployment.settings, dagster_run.run_id):
            begun = False
            try:
                with _opened(deployment, tell, context) as store:
                    run = _begin(store, deployment, dagster_run)
                    models = Models(deployment.settings, deployment.project, deployment.logic)
                    held = Held(store, run, models, deployment, tell)
                    tell(News("started", run.run_id, detail=run))
                    _tell_of_untrained(deployment, tell, context)
                    begun = True
                    yield held
                    failed = failed_steps(instance, run.run_id)
                    finish_run(store, run, "failed" if failed else "finished")
                    in_quarantine = claim_of_quarantine(instance, run, entered(store))
            except Exception:
                if not begun:
                    # No step comes to say so.
                    tell_if_untold(deployment.settings, instance, dagster_run)
                raise
            if failed:
                tell_of_failed_run(deployment.settings, instance, run, failed, held.closed_gates)
            tell_of_quarantine(deployment.settings, instance, in_quarantine)

    return warehouse


def _begin(store: Warehouse, deployment: Deployment, dagster_run: dg.DagsterRun) -> Run:
    """Put right what a kill has left, and open the run.

    Raises:
        Failure: the files have changed since they were loaded.
    """
    # What the run compiles stands in files, and they may have changed while it waited.
    if logic_hash(deployment.settings) != deployment.logic:
        raise dg.Failure(CHANGED_MEANWHILE, allow_retries=False)
    recover_publication(store)
    run = begin_run(store, dagster_run.run_id, trigger_of(dagster_run), deployment.logic)
    for source in deployment.sources:
        # Also of those that this run does not ask: models read the tables of all.
        ensure_tables(source, store)
    take_back(deployment.sources, store)
    return run


def _tell_of_untrained(
    deployment: Deployment, tell: Listener, context: dg.InitResourceContext
) -> None:
    """Say which matching models propose nothing: a run never trains one."""
    for name in untrained(deployment.settings):
        tell(News("untrained", name))
        if context.log:
            context.log.warning(
                f"The matching model '{name}' has not been trained and proposes nothing; "
                f"`cdp identity train {name}` trains it."
            )


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
            try:
                store = stack.enter_context(open_warehouse(deployment.settings))
            except WarehouseBusy as error:
                tell(News("busy", "warehouse", ok=False, detail=str(error)))
                raise
            if context.log:
                context.log.info(f"Waited {time.monotonic() - started:.1f} s for the warehouse.")
        yield store
