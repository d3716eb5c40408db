"""The jobs: the whole way, and a range of days once more.

Belongs here: what a run is made of and what it can be asked. Does not belong here: when it starts
(`orchestration.triggers`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from cdp.config.moments import moment_in_utc
from cdp.config.sources import Source
from orchestration.deployment import Deployment
from orchestration.raw import LandingConfig, step_name

MAIN = "main"
REEXTRACT = "reextract"

_LAUNCHED_AGAIN = {"dagster/retry_strategy": "ALL_STEPS"}
"""What Dagster does with a run whose process was killed: all of it again, for only a whole run
publishes."""


def jobs(deployment: Deployment) -> list[Any]:
    """All jobs of a deployment."""
    everything = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()
    return [
        dg.define_asset_job(
            MAIN,
            selection=everything,
            description="The whole way: land what is new, build, check, publish.",
            tags=_LAUNCHED_AGAIN,
        ),
        dg.define_asset_job(
            REEXTRACT,
            selection=everything,
            description=(
                "Read a range of days again from some sources or all, then build, check and "
                "publish, as one run. What has landed before is not landed twice."
            ),
            config=_reextract_config(deployment),
            tags=_LAUNCHED_AGAIN,
        ),
    ]


def _reextract_config(deployment: Deployment) -> dg.ConfigMapping:
    names = list(deployment.sources)

    def asked(wanted: dict[str, Any]) -> dict[str, Any]:
        return landing_config(
            deployment.sources, wanted["sources"], wanted.get("since"), wanted.get("until")
        )

    return dg.ConfigMapping(
        config_fn=asked,
        config_schema={
            "sources": dg.Field(
                [str],
                default_value=names,
                description=f"Sources to read again, of: {', '.join(names)}.",
            ),
            "since": dg.Field(
                str,
                is_required=False,
                description="First day or moment to read again (ISO 8601, UTC): 2026-06-01.",
            ),
            "until": dg.Field(
                str,
                is_required=False,
                description="Day or moment to stop before (ISO 8601, UTC).",
            ),
        },
    )


def landing_config(
    sources: dict[str, Source] | Any, wanted: list[str], since: str | None, until: str | None
) -> dict[str, Any]:
    """Run configuration that asks only the wanted sources, for a range.

    Raises:
        ValueError: a source is not declared, or a bound is not a moment.
    """
    unknown = sorted(set(wanted) - set(sources))
    if unknown:
        raise ValueError(
            f"no source is called '{unknown[0]}'; declared in config/sources.yml: "
            f"{', '.join(sources)}"
        )
    first, last = moment_in_utc(since), moment_in_utc(until)
    if first and last and first >= last:
        raise ValueError(f"the range is empty: since {since} is not before until {until}")
    return {
        "ops": {
            step_name(name): {
                "config": LandingConfig(asked=name in wanted, since=since, until=until).model_dump(
                    exclude_none=True
                )
            }
            for name in sources
        }
    }
