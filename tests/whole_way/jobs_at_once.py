"""Jobs over one data home in processes of their own, all launched at the same moment.

Belongs here: what each of them does, and starting them from a test. Does not belong here: what
should be true afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from tests.whole_way.killed_job import PATIENCE_SECONDS, processes

JOBS = ("main", "main again", "a range of days", "one asset", "another asset")
SINGLE = {
    "one asset": dg.AssetKey(["profiles", "dim_profiles"]),
    "another asset": dg.AssetKey(["profiles", "fct_orders"]),
}
"""What a person materialises alone, which lands and publishes nothing."""

# All days of the shop: whichever job comes first lands the delivery in the order that ids go by.
RANGE = ("2026-05-01", "2026-07-01")


def launch(home: Path) -> dict[str, str]:
    """Run all jobs at once; what came of each."""
    begun = processes.Barrier(len(JOBS))
    started = {
        name: processes.Process(target=_run, args=(home, name, begun), name=name) for name in JOBS
    }
    for process in started.values():
        process.start()
    outcomes = {}
    for name, process in started.items():
        process.join(PATIENCE_SECONDS)
        outcomes[name] = "succeeded" if process.exitcode == 0 else f"exit {process.exitcode}"
        process.kill()
    return outcomes


def _run(home: Path, name: str, begun: object) -> None:
    from orchestration.definitions import definitions_of
    from orchestration.instance import open_instance
    from orchestration.running import prepare, run_job
    from tests.services.shop_run import settings_of

    # The last one waits for all others, however slow the machine.
    settings = settings_of(home).model_copy(update={"lock_wait_seconds": PATIENCE_SECONDS})
    begun.wait(PATIENCE_SECONDS)  # type: ignore[attr-defined]  # a barrier
    if name in SINGLE:
        job = definitions_of(prepare(settings)).resolve_implicit_global_asset_job_def()
        with open_instance(settings) as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[SINGLE[name]],
                raise_on_error=False,
            )
        sys.exit(0 if result.success else "the asset was not materialised")
    since, until = RANGE if name == "a range of days" else (None, None)
    outcome = run_job(settings, since=since, until=until)
    if not outcome.success:
        sys.exit("; ".join(outcome.errors))
