"""Running a job in this process, for the command line.

Belongs here: the way from a command to a Dagster run in the deployment's instance, so that it shows
in the UI like any other, and what came of it as plain data. Does not belong here: printing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import dagster as dg

from cdp.generation import project_dir
from cdp.warehouse.alerts import finding
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import logic_hash
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import WarehouseBusy
from expectations.checks import GateVerdict
from orchestration.alerting import failed_steps
from orchestration.definitions import definitions_of
from orchestration.deployment import Deployment, load_deployment
from orchestration.gates import check_name
from orchestration.held import TRIGGER
from orchestration.instance import open_instance, write_behind
from orchestration.jobs import MAIN, landing_config
from orchestration.lost_runs import end_lost_runs
from orchestration.progress import Listener, News, deaf, heard_by


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        failed: the steps that failed, in their order.
        refused: the stage at which a gate or publishing said no; None where that is not why.
        closed: what the gates that did not let a stage pass have found.
        errors: one sentence for each failed step; of a gate, one for each check that failed.
        news: everything the run told.
    """

    run_id: str
    success: bool
    seconds: float
    failed: tuple[str, ...]
    refused: str | None
    closed: tuple[GateVerdict, ...]
    errors: tuple[str, ...]
    news: tuple[News, ...]


@dataclass(frozen=True)
class _Prepared:
    state: tuple[object, ...]
    deployment: Deployment


_prepared: dict[Path, _Prepared] = {}
_job: tuple[Deployment, dg.JobDefinition] | None = None
"""What the last runs in this process were made from, so that the next one begins at once."""


def prepare(settings: Settings) -> Deployment:
    """Everything that a run needs and that takes long the first time: generate, parse.

    Done again only when a declaration, a model or a setting has changed.

    Raises:
        ConfigError: a declaration is wrong.
        ModelsFailed: the dbt project cannot be parsed.
    """
    known = _prepared.get(settings.home)
    if known and known.state == _state(settings):
        return known.deployment
    deployment = load_deployment(settings)
    _prepared[settings.home] = _Prepared(_state(settings), deployment)
    return deployment


def _state(settings: Settings) -> tuple[object, ...]:
    models = Models(settings, project_dir(settings))
    return settings, logic_hash(settings), models.fingerprint()


def _main_job(deployment: Deployment) -> dg.JobDefinition:
    global _job
    if _job is None or _job[0] is not deployment:
        _job = deployment, definitions_of(deployment).resolve_job_def(MAIN)
    return _job[1]


def warm_up() -> None:
    """Import what the steps of a run import when they need it, which takes seconds."""
    _silence_what_nobody_can_act_on()
    gates = import_module("expectations.gates")
    gates.warm_up()
    for name in ("expectations.serving", "ingestion.pipelines", "dbt.cli.main"):
        import_module(name)


def _silence_what_nobody_can_act_on() -> None:
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    # Great Expectations imports Spark wherever it is installed, whatever engine is chosen.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")


def run_job(
    settings: Settings,
    *,
    sources: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    trigger: str = "command line",
    listener: Listener = deaf,
    deployment: Deployment | None = None,
) -> Outcome:
    """Run the main job, for all sources and what is new, or for some and a range of days.

    Raises:
        ConfigError: a declaration is wrong.
        ModelsFailed: the dbt project cannot be parsed.
        WarehouseBusy: another run held the warehouse for as long as the settings allow.
        ValueError: a source is not declared, or the range is none.
    """
    started = time.monotonic()
    deployment = deployment or prepare(settings)
    heard: list[News] = []

    def tell(news: News) -> None:
        heard.append(news)
        listener(news)

    chosen = list(deployment.sources) if sources is None else sources
    config = {
        **landing_config(deployment.sources, chosen, since, until),
        # Dagster's log is in the instance, for the UI; the terminal has the listener.
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    _silence_what_nobody_can_act_on()
    write_behind(settings)
    job = _main_job(deployment)
    with open_instance(settings) as instance, heard_by(tell):
        end_lost_runs(settings, instance)
        result = job.execute_in_process(
            run_config=config,
            instance=instance,
            tags={TRIGGER: trigger},
            raise_on_error=False,
        )
        for news in heard:
            if news.what == "busy":
                raise WarehouseBusy(news.detail)
        failed = failed_steps(instance, result.run_id)
        closed = tuple(news.detail for news in heard if news.what == "gate" and not news.ok)
        return Outcome(
            run_id=result.run_id,
            success=result.success,
            seconds=time.monotonic() - started,
            failed=tuple(failed),
            refused=next(
                (news.name for news in heard if not news.ok and news.what in ("gate", "published")),
                None,
            ),
            closed=closed,
            errors=tuple(_errors(result, closed)),
            news=tuple(heard),
        )


_INTERRUPTED = "the process was told to end (Ctrl-C, or a signal); the next run takes up from here"


def _errors(result: dg.ExecuteInProcessResult, closed: Sequence[GateVerdict]) -> list[str]:
    """What each failed step said, without the trace, and what each closed gate has found."""
    told = []
    found = {check_name(verdict.stage): verdict for verdict in closed}
    for event in result.all_events:
        if event.is_step_failure and event.step_key in found:
            # Dagster says no more than how many checks have failed.
            told += _findings(found.pop(event.step_key))
        elif event.is_step_failure:
            data = event.step_failure_data
            error = data.user_failure_data or data.error
            cause = data.error
            while cause and cause.cause:
                cause = cause.cause
            text = getattr(error, "description", None) or (cause.message if cause else "")
            if cause and cause.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                text = _INTERRUPTED
            told.append(f"{event.step_key}: {text.strip()}")
        elif event.is_failure and not event.step_key and event.job_failure_data:
            cause = event.job_failure_data.error
            while cause and cause.cause:
                cause = cause.cause
            if cause and not told:
                told.append(cause.message.strip())
    # The step that publishes has a gate inside, and has said itself that it was stopped.
    return [*told, *(line for verdict in found.values() for line in _findings(verdict))]


def _findings(verdict: GateVerdict) -> list[str]:
    return [
        f"{check_name(verdict.stage)}: {finding(check.table, check.name, check.observed)}"
        for check in verdict.failed
    ]
