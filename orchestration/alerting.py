"""What is told to people, and that each is told once.

Belongs here: from a verdict, a failed run, or what a run has found to the alerts about it. They go
out after the run has let go of the warehouse, since a receiver that does not answer may take a
minute. Does not belong here: what an alert says and how it travels (`cdp.warehouse.alerts`).
"""

from collections.abc import Sequence

import dagster as dg

from cdp.warehouse.alerts import (
    Alert,
    clusters_quarantined,
    gate_closed,
    run_failed,
    send_alert,
)
from cdp.warehouse.quarantined_clusters import EnteredInRun
from cdp.warehouse.runs import Run
from cdp.warehouse.settings import Settings
from expectations.checks import GateVerdict

ALERTED = "tributary/alerted"
"""Tag of a run whose failure has been told."""

QUARANTINE_ALERT = "tributary/quarantine_alert"
"""Tag of a run in which groups entered quarantine: that people are being told, and by which run, or
that they were told of this one."""

_SENDING, _SENT = "sending", "sent"


def failed_steps(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The steps of a run that have failed for good, in the order in which they did."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    return [
        event.step_key
        for record in records
        if (event := record.event_log_entry.dagster_event) and event.step_key
    ]


def tell_of_failed_run(
    settings: Settings,
    instance: dg.DagsterInstance,
    run: Run,
    steps: list[str],
    closed: list[GateVerdict],
) -> None:
    """Send what there is to say of a run that has just failed, and note that it has been said."""
    alerts = [
        gate_closed(
            verdict.stage,
            run.run_id,
            run.as_of,
            [(check.table, check.name, check.observed) for check in verdict.failed],
        )
        for verdict in closed
    ]
    # That its gate stopped a run is all there is to know about its end.
    _send(settings, instance, run.run_id, alerts or [run_failed(run.run_id, steps, run.as_of)])


def tell_if_untold(
    settings: Settings, instance: dg.DagsterInstance, dagster_run: dg.DagsterRun
) -> bool:
    """Send the alert of a run that failed and could not say so itself; say whether it was sent."""
    run = instance.get_run_by_id(dagster_run.run_id) or dagster_run
    if ALERTED in run.tags:
        return False
    steps = failed_steps(instance, run.run_id)
    _send(settings, instance, run.run_id, [run_failed(run.run_id, steps)])
    return True


def claim_of_quarantine(
    instance: dg.DagsterInstance, run: Run, found: Sequence[EnteredInRun]
) -> list[EnteredInRun]:
    """What entered quarantine that nobody was told of and nobody else is telling, for this run to
    tell: a run that was killed once it had published told nobody of what it had found.

    To be asked while the warehouse is held, so that no two runs claim the same.

    Args:
        run: the one that is about to end.
        found: what entered, by run.
    """
    claimed = []
    for each in found:
        its_run = instance.get_run_by_id(each.run_id)
        # A run that nobody remembers is long past.
        if its_run is None or _is_told(instance, its_run, run):
            continue
        instance.add_run_tags(each.run_id, {QUARANTINE_ALERT: f"{_SENDING} {run.run_id}"})
        claimed.append(each)
    return claimed


def _is_told(instance: dg.DagsterInstance, its_run: dg.DagsterRun, by: Run) -> bool:
    """Whether people were told of what entered in a run, or another run is telling them."""
    # The tags of a run that is begun again name the one that it repeats.
    state, _, whose = its_run.tags.get(QUARANTINE_ALERT, "").partition(" ")
    if state == _SENT and whose == its_run.run_id:
        return True
    if state == _SENDING and whose != by.run_id:
        teller = instance.get_run_by_id(whose)
        return teller is not None and not teller.is_finished
    # One that came to its end has told what it found.
    return not state and its_run.is_success and its_run.run_id != by.run_id


def tell_of_quarantine(
    settings: Settings, instance: dg.DagsterInstance, claimed: Sequence[EnteredInRun]
) -> None:
    """Send one alert for each run in which groups of identifiers entered quarantine."""
    for each in claimed:
        told = [(group.cluster_id, group.kind, group.sign, group.seen) for group in each.groups]
        send_alert(settings, clusters_quarantined(each.run_id, each.as_of, told))
        instance.add_run_tags(each.run_id, {QUARANTINE_ALERT: f"{_SENT} {each.run_id}"})


def _send(
    settings: Settings, instance: dg.DagsterInstance, run_id: str, alerts: list[Alert]
) -> None:
    # The tag comes first: a process that is killed in between stays silent rather than being heard
    # twice, and it was going to be silent anyway.
    instance.add_run_tags(run_id, {ALERTED: "true"})
    for alert in alerts:
        send_alert(settings, alert)
