"""What a service manager starts in production, for `cdp prepare`.

Belongs here: the environment and the commands of Dagster's daemon and web server, and printing
them. Does not belong here: laying out the folder that they start from (`orchestration.instance`).
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from cdp.commands.terminal import answer, out
from cdp.warehouse.settings import Settings


def tell_services(settings: Settings, instance: Path, workspace: Path, *, as_json: bool) -> None:
    """Print what to start and with which environment; `instance` is the folder of Dagster's."""
    environment = {
        "CDP_HOME": str(settings.home),
        "CDP_CONFIG": str(settings.config),
        "DAGSTER_HOME": str(instance),
    }
    # Beside the interpreter, which in an environment is a link that must not be followed.
    programs = Path(sys.executable).parent
    commands = [
        [str(programs / "dagster-daemon"), "run", "--workspace", str(workspace)],
        [
            *(str(programs / "dagster-webserver"), "--workspace", str(workspace)),
            *("--host", "127.0.0.1", "--port", "3000"),
        ],
    ]
    if as_json:
        answer({"environment": environment, "commands": commands})
        return
    out.print("# The environment of both, beside secrets and any other CDP_* variable:")
    for name, value in environment.items():
        out.print(f"{name}={shlex.quote(value)}", markup=False, soft_wrap=True)
    out.print("# What to start, and to start again whenever it ends:")
    for command in commands:
        out.print(shlex.join(command), markup=False, soft_wrap=True)
