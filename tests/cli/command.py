"""Running `cdp` as a person does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cdp.warehouse.settings import PROJECT_ROOT


def cdp(
    home: Path, *arguments: str, config: Path | None = None, timeout: float = 300, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command over a data home; `settings` become `CDP_*` variables."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CDP_")}
    environment |= {f"CDP_{name.upper()}": value for name, value in settings.items()}
    environment |= {"CDP_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    if config is not None:
        environment["CDP_CONFIG"] = str(config)
    return subprocess.run(
        [sys.executable, "-m", "cdp", *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
