"""What starts the main job by itself, and what is said when a run has failed.

Belongs here: the daily schedule, the sensor on landing folders, the sensor on failed runs. Does not
belong here: how an alert travels (`cdp.warehouse.alerts`), what counts as news (`ingestion`).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg

from cdp.config.sources import load_sources
from cdp.warehouse.runs import utc_now
from cdp.warehouse.store import WarehouseBusy, open_warehouse
from orchestration.alerting import tell_if_untold
from orchestration.deployment import Deployment
from orchestration.jobs import MAIN
from orchestration.lost_runs import end_lost_runs

UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
LONGEST_PAUSE = timedelta(hours=1)


def daily(deployment: Deployment) -> dg.ScheduleDefinition:
    """The main job once a day, early in the deployment's own day."""
    return dg.ScheduleDefinition(
        name="daily",
        job_name=MAIN,
        cron_schedule="0 5 * * *",
        execution_timezone=deployment.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The whole way, every day at 05:00 in the deployment's zone.",
    )


def landing_folders(deployment: Deployment) -> dg.SensorDefinition:
    """The main job as soon as a complete file stands in a landing folder that was not taken yet.

    A run is asked for without a run key: Dagster never launches a key again, and a file that a
    failed run left must be tried again. What keeps it from launching twice is that it asks for
    nothing while a main run is under way, and less often the more runs in a row have failed.
    """
    watched = [name for name, source in deployment.sources.items() if source.kind == "files"]

    @dg.sensor(
        name="landing_folders",
        job_name=MAIN,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the main job when a new file is complete in a landing folder.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        instance = context.instance
        if instance.get_runs_count(dg.RunsFilter(job_name=MAIN, statuses=UNDER_WAY)):
            return dg.SkipReason("A run of the main job is queued or under way.")
        pause = pause_after_failures(instance, datetime.now(UTC))
        if pause:
            return dg.SkipReason(f"The last runs failed; trying again in {pause}.")
        seen = _seen(deployment, watched, instance)
        if seen == context.cursor:
            return dg.SkipReason("No file has changed since the last look, which found none new.")
        try:
            news = _sources_with_news(deployment, watched)
        except WarehouseBusy:
            return dg.SkipReason("A run holds the warehouse.")
        if not news:
            # Of what is there now too: a folder that was away for a moment has news.
            if _seen(deployment, watched, instance) == seen:
                context.update_cursor(seen)
            return dg.SkipReason("No new complete file in any landing folder.")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(tags={"tributary/news": ",".join(news)[:60]})]
        )

    return sensor


def _seen(deployment: Deployment, watched: list[str], instance: dg.DagsterInstance) -> str:
    """What decides whether there is news, in short, without opening the warehouse: that keeps
    others out, and on a lake it starts a Spark.

    The last run is part of it, as it may have taken files or failed to; and so are the settings, as
    where they put the warehouse may have none of the files.
    """
    from ingestion.files.ledger import listing

    settings, now = deployment.settings, utc_now()
    sources = load_sources(settings).sources
    last = [record.dagster_run.run_id for record in _last_runs(instance, 1)]
    files = [(name, listing(sources[name], settings, now)) for name in watched]
    told = [settings.model_dump(mode="json"), last, files]
    return sha256(json.dumps(told).encode()).hexdigest()


def _last_runs(instance: dg.DagsterInstance, count: int) -> Sequence[dg.RunRecord]:
    return instance.get_run_records(dg.RunsFilter(job_name=MAIN), limit=count)


def _sources_with_news(deployment: Deployment, watched: list[str]) -> list[str]:
    from ingestion.landing import has_news

    with open_warehouse(deployment.settings, 0) as warehouse:
        return [name for name in watched if has_news(name, warehouse)]


def pause_after_failures(instance: dg.DagsterInstance, now: datetime) -> timedelta | None:
    """How long still to wait before a run that failed is tried again; None when it may be.

    One minute after the first failure, twice as long after each further one in a row.
    """
    records = _last_runs(instance, 12)
    failures = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if not failures:
        return None
    ended = records[0].end_time or records[0].update_timestamp.timestamp()
    wait = min(timedelta(minutes=2 ** (failures - 1)), LONGEST_PAUSE)
    left = datetime.fromtimestamp(ended, UTC) + wait - now
    return timedelta(seconds=round(left.total_seconds())) if left > timedelta(0) else None


def lost_runs(deployment: Deployment) -> dg.SensorDefinition:
    """Ends runs whose process is gone, which would keep all others waiting."""

    @dg.sensor(
        name="lost_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records a run whose process was killed as failed, so that the next may start.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = end_lost_runs(deployment.settings, context.instance)
        return dg.SkipReason(f"Ended: {', '.join(ended)}." if ended else "No run was lost.")

    return sensor


def failure_alerts(deployment: Deployment) -> dg.SensorDefinition:
    """An alert for each failed run that could not send its own, such as one that was killed."""

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends an alert for a run that failed and could not say so itself.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        tell_if_untold(deployment.settings, context.instance, context.dagster_run)

    return sensor
