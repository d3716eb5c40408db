"""Measures and keeps what came of it: `make bench`, or some of it by `make bench ARGS="landing"`.

Belongs here: choosing benchmarks, writing results. Does not belong here: any measurement.

Each benchmark runs in a process of its own, so that none is measured on another's memory. Results
go to `benchmarks/results/<benchmark>.json`, with the machine and the versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.machine import described

BENCHMARKS = ("demo", "landing", "gates", "refresh")
RESULTS = Path(__file__).parent / "results"


def measure(name: str, sizes: list[int]) -> None:
    """Run one benchmark here and write its result."""
    machine = described()
    module = import_module(f"benchmarks.{name}")
    results = module.run(sizes) if sizes else module.run()
    RESULTS.mkdir(exist_ok=True)
    told = {
        "benchmark": name,
        "about": (module.__doc__ or "").strip(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [asdict(figure) for figure in module.FIGURES],
        "results": results,
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(json.dumps(results, indent=2))
    typer.echo(f"kept in {path.relative_to(Path.cwd())}")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(BENCHMARKS)}. All by default.")
    ] = None,
    size: Annotated[
        list[int] | None, typer.Option(help="Events to measure with instead of the usual numbers.")
    ] = None,
) -> None:
    """Measure side by side with a peer, and keep the results."""
    chosen = names or list(BENCHMARKS)
    if unknown := set(chosen) - set(BENCHMARKS):
        wrong, known = ", ".join(sorted(unknown)), ", ".join(BENCHMARKS)
        raise typer.BadParameter(f"no benchmark is called {wrong}; there are {known}")
    if len(chosen) == 1:
        measure(chosen[0], size or [])
        return
    sizes = [part for each in size or [] for part in ("--size", str(each))]
    for name in chosen:
        typer.echo(f"== {name}")
        subprocess.run([sys.executable, "-m", "benchmarks", name, *sizes], check=True)


if __name__ == "__main__":
    typer.run(main)
