"""The SQL that a macro of the project gives on an engine.

Belongs here: rendering calls of macros as dbt does it in a model. Does not belong here: running
what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import open_warehouse

_BETWEEN = "\n--- next ---\n"


def rendered(settings: Settings, calls: Mapping[str, str]) -> dict[str, str]:
    """What each call comes to, by its name; all in one go, since dbt takes a second to begin."""
    from dbt.cli.main import dbtRunner

    models = Models(settings, generate(settings))
    runner = dbtRunner(manifest=models.manifest())
    text = _BETWEEN.join(f"{{{{ {call} }}}}" for call in calls.values())
    # dbt opens what is not open, and would leave it so for whoever opens the warehouse next.
    held = open_warehouse(settings) if settings.target == "duckdb" else nullcontext()
    with held:
        outcome: Any = runner.invoke(
            [
                *("compile", "--inline", text, "--quiet", "--no-print", "--no-introspect"),
                *("--project-dir", str(models.project), "--profiles-dir", str(settings.dbt_dir)),
                *(
                    "--target-path",
                    str(settings.dbt_dir / "inline"),
                    "--log-level-file",
                    "none",
                    "--log-level",
                    "none",
                ),
            ]
        )
    assert outcome.success, outcome.exception
    compiled = outcome.result.results[0].node.compiled_code
    return dict(zip(calls, compiled.split(_BETWEEN), strict=True))
