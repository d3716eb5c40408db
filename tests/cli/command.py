"""Running `cdp` as a person does: in a process of its own, with an environment of its own.

Belongs here: starting a command, keeping what it wrote, and what every complaint has in common. The
process is forked from one that has imported what runs need and nothing of the command line, for
importing takes seconds a command. Does not belong here: what any command should answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cdp.warehouse.settings import PROJECT_ROOT
from tests.whole_way.killed_job import processes


def cdp(
    home: Path, *arguments: str, config: Path | None = None, timeout: float = 300, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command over a data home; `settings` become `CDP_*` variables."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CDP_")}
    environment |= {f"CDP_{name.upper()}": value for name, value in settings.items()}
    environment |= {"CDP_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    if config is not None:
        environment["CDP_CONFIG"] = str(config)
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        process = processes.Process(target=_run, args=(arguments, environment, out, err))
        process.start()
        process.join(timeout)
        code = process.exitcode
        process.kill()
        if code is None:
            raise subprocess.TimeoutExpired(["cdp", *arguments], timeout)
        return subprocess.CompletedProcess(
            ["cdp", *arguments], code, out.read_text("utf-8"), err.read_text("utf-8")
        )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of an expected error."""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").strip()


def _run(arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path) -> None:
    """The command, from here to its end."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(PROJECT_ROOT)
    sys.argv = ["cdp", *arguments]
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the process ends
    for stream, path in ((1, out), (2, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream)
    from cdp.cli import main

    main()
