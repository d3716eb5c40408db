"""One run of the whole way in a process of its own, and what readers find afterwards.

Belongs here: running the main job as the command line does and writing the published tables of a
role to files. Does not belong here: any expectation. Run as
`python -m tests.engines.the_way <home> <role> <folder>`, with the target in the environment; prints
one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def main(home: str, role: str, folder: str) -> None:
    from cdp.warehouse.published import published
    from cdp.warehouse.settings import load_settings
    from orchestration.running import run_job

    settings = load_settings(home=Path(home))
    with staying(settings.target):
        outcome = run_job(settings)
        told: dict[str, Any] = {
            "success": outcome.success,
            "errors": outcome.errors,
            "seconds": round(outcome.seconds, 1),
            "tables": [],
        }
        if outcome.success:
            Path(folder).mkdir(parents=True)
            with published(settings) as current, current.seen_by(role) as seen:
                for name in served(outcome, role):
                    rows = seen.session.arrow(f'SELECT * FROM "{name}"')
                    pq.write_table(rows, Path(folder) / f"{name}.parquet")
                    told["tables"].append(name)
    json.dump(told, sys.stdout)


def served(outcome: Any, role: str) -> list[str]:
    """The tables that the role has been given, by their plain names."""
    publication = next(news.detail for news in outcome.news if news.what == "published")
    return sorted(path.partition(".")[2] for path in publication.rows[role])


def staying(target: str) -> Any:
    """Let one session of Spark do for the run and the look at what came of it."""
    if target == "spark":
        from cdp.warehouse.engines.spark_session import kept_running

        return kept_running()
    from contextlib import nullcontext

    return nullcontext()


if __name__ == "__main__":
    main(*sys.argv[1:])
