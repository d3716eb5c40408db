"""Building the current tables by other rules, in a copy of the warehouse.

Belongs here: bringing the copy to what the last published run had before it, and the run over it,
as of the same moment, so that nothing but the rules differs. Does not belong here: the copy itself
(`cdp.warehouse.scratch`), which rules, what came of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cdp.warehouse.modelling import Models, NodeResult
from cdp.warehouse.runs import (
    STAGES,
    add_missing_columns,
    begin_run,
    ensure_run_tables,
    finish_run,
    stage_states,
)
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse


class NothingToCompare(LookupError):
    """No run has been published, whose tables another run could be held against."""


class NotAtRest(RuntimeError):
    """The tables are not those of the last published run."""


@dataclass(frozen=True)
class Base:
    """The published run whose tables the warehouse holds.

    Attributes:
        landing_high_water, label_high_water: the last row and the last label that it saw.
        logic_hash, timezone, base_currency, default_country, internal_networks,
            internal_email_domains: what else its tables follow from; see `governance.runs`.
    """

    run_number: int
    run_id: str
    as_of: datetime
    started_at: datetime
    landing_high_water: int
    label_high_water: int
    logic_hash: str
    timezone: str
    base_currency: str
    default_country: str
    internal_networks: str
    internal_email_domains: str

    def is_of(self, settings: Settings, logic: str) -> bool:
        """Whether a run under these settings and this `logic_hash` would make the same tables."""
        return (
            self.logic_hash,
            self.timezone,
            self.base_currency,
            self.default_country,
            self.internal_networks,
            self.internal_email_domains,
        ) == (
            logic,
            settings.timezone,
            settings.base_currency,
            settings.default_country,
            ",".join(settings.internal_networks),
            ",".join(settings.internal_email_domains),
        )


def published_base(warehouse: Warehouse) -> Base:
    """The last published run, where its tables stand as it built them.

    Raises:
        NothingToCompare: no run has been published.
        NotAtRest: a run since has built some of them anew, and has not been published.
    """
    ensure_run_tables(warehouse)
    add_missing_columns(warehouse)
    rows = warehouse.rows(
        "SELECT run_number, run_id, as_of, started_at, coalesce(landing_high_water, 0), "
        "coalesce(label_high_water, 0), logic_hash, timezone, base_currency, default_country, "
        "internal_networks, internal_email_domains FROM governance.runs "
        "WHERE status = 'published' ORDER BY run_number DESC LIMIT 1"
    )
    if not rows:
        raise NothingToCompare(
            "no run has been published yet, so there is nothing to hold the rules against; "
            "`cdp run` builds and publishes"
        )
    base = Base(*rows[0])
    states = stage_states(warehouse)
    for stage in STAGES[1:]:
        if states[stage].built_by != base.run_id or not states[stage].complete:
            raise NotAtRest(
                f"the tables of {stage} are not those of the last published run "
                f"({base.run_number}), since a later one has not been published; `cdp status` says "
                "how it stands, `cdp run` takes up from there"
            )
    return base


def set_back(warehouse: Warehouse, base: Base, sources: Iterable[str]) -> None:
    """Take out of a copy what came after a run: rows of sources, labels, requests for a fit."""
    for source in sources:
        if warehouse.has_table("raw", source):
            warehouse.execute(
                f'DELETE FROM raw."{source}" WHERE landing_number > ?', [base.landing_high_water]
            )
    warehouse.execute(
        "DELETE FROM governance.identity_labels WHERE label_number > ?", [base.label_high_water]
    )
    warehouse.execute(
        "DELETE FROM governance.refit_requests WHERE requested_at > ?", [base.started_at]
    )


def rehearse(
    warehouse: Warehouse,
    settings: Settings,
    project: Path,
    base: Base,
    *,
    same_staging: bool,
    on_node: Callable[[NodeResult], None] | None = None,
) -> None:
    """Build all stages of a copy in full, as of the moment of a published run.

    Args:
        warehouse: the copy, set back to what that run saw.
        settings: of the copy; its configuration has the rules to try.
        project: the dbt project by them.
        same_staging: whether staging is as it would be built, since nothing but rules of identity
            differs from what the published run went by.

    Raises:
        ModelsFailed: a model could not be built.
    """
    models = Models(settings, project)
    run = begin_run(warehouse, str(uuid.uuid4()), "rehearsal")
    models.manifest()
    models.seed()
    for stage in STAGES[1:]:
        kept = same_staging and stage == "staging"
        models.build(
            warehouse,
            run,
            stage,
            select=["int_current_run"] if kept else None,
            full_refresh=True,
            on_node=on_node,
        )
    finish_run(warehouse, run, "finished")
