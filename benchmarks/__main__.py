"""Measures and keeps what came of it: `make bench`, or some of it by `make bench ARGS="landing"`.

Belongs here: choosing benchmarks, writing results. Does not belong here: any measurement.

Each benchmark runs in a process of its own, so that none is measured on another's memory. Results
go to `benchmarks/results/<benchmark>.json`, each with its machine and versions; one of a size takes
the place of the former one of as much, and leaves those of other sizes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from math import log2
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.machine import described

BENCHMARKS = ("demo", "landing", "gates", "identity", "refresh")
RESULTS = Path(__file__).parent / "results"


def measure(name: str, sizes: list[int]) -> None:
    """Run one benchmark here and write its result."""
    machine = described()
    module = import_module(f"benchmarks.{name}")
    results = module.run(sizes) if sizes else module.run()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    lineage = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}
    size = module.FIGURES[0].size
    told = {
        "benchmark": name,
        "about": (module.__doc__ or "").strip(),
        "figures": [asdict(figure) for figure in module.FIGURES],
        "results": merged(_kept(path), [{**each, **lineage} for each in results], size),
    }
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(json.dumps(results, indent=2))
    typer.echo(f"kept in {path.relative_to(Path.cwd())}")


def merged(
    kept: list[dict[str, Any]], new: list[dict[str, Any]], size: str
) -> list[dict[str, Any]]:
    """Results by how much was worked on, the new ones in the place of those of about as much."""

    def much(result: dict[str, Any]) -> int:
        # A shop of so many people has some events more or fewer, as its generator changes.
        return round(log2(result[size]))

    measured = {much(each) for each in new}
    others = [each for each in kept if much(each) not in measured]
    return sorted([*(_still_true(each, new, size) for each in others), *new], key=much)


def _still_true(kept: dict[str, Any], new: list[dict[str, Any]], size: str) -> dict[str, Any]:
    """A former result without what it says of growth, where the smaller size that it had grown from
    has been measured anew."""
    if not any(each[size] < kept[size] for each in new):
        return kept
    return {name: value for name, value in kept.items() if not name.endswith("_growth")}


def _kept(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return results


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
