"""Runs of the whole way in a process of its own, and what readers find after each.

Belongs here: running the main job as the command line does and writing the published tables of a
role to files, on one engine, as often as asked: a second run costs no start of Spark. Does not
belong here: any expectation, what has been delivered before a run.

Run as `python -m tests.engines.the_way <home> <role>`, with the target and the settings in the
environment. Takes one JSON object a line, {"as_of", "folder"}, and answers with one: what came of
the run, and the tables that it wrote below the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cdp.warehouse.settings import PROJECT_ROOT


class Way:
    """The process, as a test has it."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self._process, self.home = process, home
        self._runs = 0

    def run(self, as_of: str) -> dict[str, Path]:
        """Run the whole way at a moment; the published tables by name."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._runs += 1
        folder = self.home / "seen" / str(self._runs)
        folder.mkdir(parents=True)
        print(json.dumps({"as_of": as_of, "folder": str(folder)}), file=self._process.stdin)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process ended: {(self.home / 'said').read_text()[-3000:]}"
        told = json.loads(answer)
        assert told["success"], told["errors"]
        return {name: folder / f"{name}.parquet" for name in told["tables"]}


@contextmanager
def the_way(home: Path, role: str, **environment: str) -> Iterator[Way]:
    """A process for the runs of one home, which ends with the block."""
    with (home / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.engines.the_way", str(home), role],
            cwd=PROJECT_ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            yield Way(process, home)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def main(home: str, role: str) -> None:
    # Whatever else a run prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    from cdp.warehouse.settings import load_settings

    with staying(load_settings(home=Path(home)).target):
        for line in sys.stdin:
            asked = json.loads(line)
            settings = load_settings(home=Path(home), as_of=asked["as_of"])
            print(json.dumps(once(settings, role, Path(asked["folder"]))), file=answers, flush=True)


def once(settings: Any, role: str, folder: Path) -> Mapping[str, Any]:
    """One run, and the tables of the role as they are published then."""
    from cdp.warehouse.published import published
    from orchestration.running import run_job

    outcome = run_job(settings)
    tables = []
    if outcome.success:
        with published(settings) as current, current.seen_by(role) as seen:
            for name in served(outcome, role):
                rows = seen.session.arrow(f'SELECT * FROM "{name}"')
                pq.write_table(rows, folder / f"{name}.parquet")
                tables.append(name)
    return {
        "success": outcome.success,
        "errors": outcome.errors,
        "seconds": round(outcome.seconds, 1),
        "tables": tables,
    }


def served(outcome: Any, role: str) -> list[str]:
    """The tables that the role has been given, by their plain names."""
    publication = next(news.detail for news in outcome.news if news.what == "published")
    return sorted(path.partition(".")[2] for path in publication.rows[role])


def staying(target: str) -> Any:
    """Let one session of Spark do for all runs and looks."""
    if target == "spark":
        from cdp.warehouse.engines.spark_session import kept_running

        return kept_running()
    return nullcontext()


if __name__ == "__main__":
    main(*sys.argv[1:])
