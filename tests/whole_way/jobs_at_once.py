"""Jobs over one data home in processes of their own, all launched at the same moment.

Belongs here: what each of them does, and starting them from a test. Does not belong here: what
should be true afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.whole_way.killed_job import PATIENCE_SECONDS, processes

JOBS = ("main", "main again", "main once more", "a range of days", "one asset")


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
    import dagster as dg

    from orchestration.definitions import definitions_of
    from orchestration.instance import open_instance
    from orchestration.running import prepare, run_job
    from tests.services.shop_run import settings_of

    settings = settings_of(home)
    begun.wait(PATIENCE_SECONDS)  # type: ignore[attr-defined]  # a barrier
    if name == "one asset":
        job = definitions_of(prepare(settings)).resolve_implicit_global_asset_job_def()
        with open_instance(settings) as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["profiles", "dim_profiles"])],
                raise_on_error=False,
            )
        sys.exit(0 if result.success else "the asset was not materialised")
    since, until = ("2026-06-20", "2026-06-23") if name == "a range of days" else (None, None)
    outcome = run_job(settings, since=since, until=until)
    if not outcome.success:
        sys.exit("; ".join(outcome.errors))
