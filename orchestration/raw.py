"""Raw: one asset per source, and the accounts that landing keeps of all of them.

Belongs here: lineage from a source to its table, retries, freshness, and the range of days that a
run reads again. Does not belong here: how anything lands (`ingestion`), how far a source is known
(`cdp.warehouse.freshness`).

Two things may go stale. That no run has come by is what the freshness policy says: every run
materialises every source, also one that it does not ask, because Dagster leaves out what depends on
a table that a step has passed over. That a source says nothing new, however often it is asked, is
what the check says.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from cdp.config.moments import moment_in_utc
from cdp.config.sources import Source
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.freshness import freshness_of
from cdp.warehouse.runs import mark_stage
from cdp.warehouse.settings import MissingSecret
from orchestration.deployment import Deployment, owners
from orchestration.held import KEY, POOL, Held
from orchestration.progress import News

ACCOUNTS = {
    "loads": "One row per load and source: rows read = landed + duplicate + quarantined.",
    "quarantine": "One row per row that could not be landed, with its reason and raw bytes.",
    "files": "One row per file of a source that was looked at, and what became of it.",
}
"""The tables that landing keeps besides the envelopes, in schema `raw`. They are written with every
landing, so they wait for no gate, not even for that of their own stage."""

FRESH = "is_fresh"
"""The check that a source is known as far as it is declared to be. It stops nobody: old data is
what there is, and readers are told how old (`about.freshness`)."""

RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For sources that do not answer. What a source has already handed over is not asked for again."""

HOPELESS = (
    ConfigError,
    MissingSecret,
    ImportError,
    AttributeError,
    TypeError,
    LookupError,
    AssertionError,
)
"""What asking once more does not cure: a declaration that is wrong, or a fault of the program."""


class LandingConfig(dg.Config):
    """What one source is asked for in one run."""

    asked: bool = Field(True, description="Whether the source is read in this run at all.")
    since: str | None = Field(
        None, description="First day or moment (ISO 8601, UTC) to read again; none: what is new."
    )
    until: str | None = Field(
        None, description="Day or moment (ISO 8601, UTC) to stop before; none: up to now."
    )


def source_key(name: str) -> dg.AssetKey:
    """The asset of a source itself, outside the warehouse."""
    return dg.AssetKey(["source", name])


def raw_key(name: str) -> dg.AssetKey:
    """The asset of a table in schema `raw`."""
    return dg.AssetKey(["raw", name])


def step_name(source: str) -> str:
    """The name that Dagster gives to the step that lands a source."""
    return f"raw__{source}"


def source_specs(deployment: Deployment) -> list[dg.AssetSpec]:
    """The sources as external assets, so that lineage begins where the data comes from."""
    return [
        dg.AssetSpec(
            source_key(name),
            description=source.description,
            group_name="source",
            kinds={source.kind},
            owners=owners(source.owner),
            metadata={"purpose": source.purpose},
        )
        for name, source in deployment.sources.items()
    ]


def raw_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Every table of schema `raw` as an asset."""
    engine = deployment.settings.target
    return [_landed(source, engine) for source in deployment.sources.values()] + [
        _accounts(deployment)
    ]


def _landed(source: Source, engine: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=raw_key(source.name),
        deps=[source_key(source.name)],
        description=f"One row per row that landed from the source: {source.description}",
        group_name="raw",
        kinds={"dlt", engine},
        tags={"recorded": ""},
        owners=owners(source.owner),
        metadata={"purpose": source.purpose},
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=max(source.fresh_within, timedelta(minutes=1))
        ),
        check_specs=[
            dg.AssetCheckSpec(
                FRESH,
                asset=raw_key(source.name),
                description="The source is known up to a moment that lies within `fresh_within`.",
                blocking=False,
            )
        ],
        retry_policy=RETRIES,
        pool=POOL,
        required_resource_keys={KEY},
    )
    def landed(
        context: dg.AssetExecutionContext, config: LandingConfig
    ) -> Iterator[dg.MaterializeResult[Any]]:
        held: Held = context.resources.warehouse
        yield _land(context, held, source, config)

    return landed


def _land(
    context: dg.AssetExecutionContext, held: Held, source: Source, config: LandingConfig
) -> dg.MaterializeResult[Any]:
    # dlt takes seconds to import, which nobody who only looks at the graph should pay.
    from ingestion.landing import land

    if not config.asked:
        context.log.info("This run was asked for other sources; nothing was read from this one.")
        return dg.MaterializeResult(
            metadata={"asked": False}, check_results=[_is_fresh(held, source)]
        )
    mark_stage(held.store, held.run, "raw", "building")
    try:
        report = land(
            source.name,
            held.store,
            held.run,
            since=moment_in_utc(config.since),
            until=moment_in_utc(config.until),
        )
    except HOPELESS as error:
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error
    mark_stage(held.store, held.run, "raw", "built")
    held.tell(News("landed", source.name, detail=report))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": held.store.scalar(f'SELECT count(*) FROM raw."{source.name}"'),
            "load": report.load_id,
            "rows read": report.rows_read,
            "rows landed": report.rows_landed,
            "rows duplicate": report.rows_duplicate,
            "rows quarantined": report.rows_quarantined,
        },
        check_results=[_is_fresh(held, source)],
    )


def _is_fresh(held: Held, source: Source) -> dg.AssetCheckResult:
    known = freshness_of(held.store, held.run, source)
    until = known.complete_until
    return dg.AssetCheckResult(
        passed=not known.is_stale,
        asset_key=raw_key(source.name),
        check_name=FRESH,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"known up to {_moment(until)} UTC" if until else "nothing is known of it yet",
        metadata={
            "complete until": _moment(until) if until else "never",
            "fresh within": str(known.within),
            "as_of": _moment(known.as_of),
        },
    )


def _moment(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _accounts(deployment: Deployment) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="raw_accounts",
        specs=[
            dg.AssetSpec(
                raw_key(name),
                deps=[raw_key(source) for source in deployment.sources],
                description=description,
                group_name="raw",
                kinds={deployment.settings.target},
                tags={"recorded": ""},
                owners=deployment.platform_owners(),
                skippable=True,
            )
            for name, description in ACCOUNTS.items()
        ],
        can_subset=True,
        pool=POOL,
        required_resource_keys={KEY},
    )
    def accounts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        held: Held = context.resources.warehouse
        for name in ACCOUNTS:
            if raw_key(name) in context.selected_asset_keys:
                yield dg.MaterializeResult(
                    asset_key=raw_key(name),
                    metadata={
                        "dagster/row_count": held.store.scalar(f"SELECT count(*) FROM raw.{name}")
                    },
                )

    return accounts
