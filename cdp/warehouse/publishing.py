"""Publishing: from built and validated stages to the set that readers see.

Belongs here: deciding whether a run may publish, the order of the steps, the record of what was
published, and putting that record right after a kill. Does not belong here: how sets are kept
(`cdp.warehouse.shelf`), what the gate of serving checks (it is handed in).

The order, and what a kill leaves at each step:

1. refuse, unless every stage was built whole by this run and passed its gate since;
2. write the candidate under a hidden name: a kill leaves rubbish, removed by the next run;
3. validate it and give it its name: a kill leaves a set that nobody reads, removed likewise;
4. swap the pointer: one rename, readers see the old set or the new one;
5. record the run as published: a kill before leaves a pointer that is ahead of the record, which
   `recover_publication` puts right from the manifest before the next run begins;
6. remove old sets: a kill leaves rubbish.
"""

from __future__ import annotations

import grp
import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp.config import personal_data as personal_data_config
from cdp.config import roles as roles_config
from cdp.config.personal_data import PersonalData, UndeclaredColumns, load_personal_data
from cdp.config.roles import SECTIONS, Role, expand, load_roles
from cdp.config.shipped import config_path
from cdp.config.sources import load_sources
from cdp.warehouse.fault_points import reached
from cdp.warehouse.freshness import freshness_of
from cdp.warehouse.model_catalogue import Catalogue, load_catalogue
from cdp.warehouse.runs import (
    CHANGED_MEANWHILE,
    STAGES,
    Run,
    ensure_run_tables,
    logic_hash,
    stage_states,
    utc_now,
)
from cdp.warehouse.settings import Settings
from cdp.warehouse.shelf import Offer, Place, PublishedSet, ServedTable, Shelf, shelf_of
from cdp.warehouse.store import Warehouse

Validate = Callable[[Any], bool]
"""The gate of serving: whether the candidate set at a place may be shown to readers."""

_TABLES = """
CREATE TABLE IF NOT EXISTS serving.publications (
    run_id VARCHAR, run_number BIGINT, set_name VARCHAR, published_at TIMESTAMP, role VARCHAR,
    tables BIGINT, rows HUGEINT, bytes HUGEINT
)
"""


class PublishRefused(RuntimeError):
    """A set may not be published: says which stage stands in the way, and why.

    Attributes:
        stage: the stage; `serving` where the candidate itself was found wanting.
    """

    def __init__(self, stage: str, reason: str) -> None:
        self.stage = stage
        super().__init__(f"nothing was published: stage {stage}: {reason}")


@dataclass(frozen=True)
class Publication:
    """What was published.

    Attributes:
        place: where it stands: a folder, or the schema that those of its roles begin with.
        rows: rows by role and `schema.table`.
        bytes: its size by role.
        files: by the name of each of its parts, how it came to be: written, patched, linked or
            cloned.
    """

    run_id: str
    run_number: int
    set_name: str
    place: Place
    published_at: datetime
    roles: tuple[str, ...]
    rows: Mapping[str, Mapping[str, int]]
    bytes: Mapping[str, int]
    files: Mapping[str, str]
    seconds: float

    @property
    def set_path(self) -> Path:
        """The folder of a set of files."""
        assert isinstance(self.place, Path), "this set is one of schemas"
        return self.place


def publish(
    warehouse: Warehouse,
    run: Run,
    *,
    project: Path,
    validate: Validate,
    untouched: Collection[str] = (),
    rewrite: bool = False,
) -> Publication:
    """Publish what the run has built, for every role, and make it the current set.

    Args:
        warehouse: the store, held by the caller.
        run: the run that built and validated every stage.
        project: the dbt project whose models were built; their descriptions go into the files.
        validate: the gate of serving, called with the candidate's place.
        untouched: `schema.table` of what nothing has been written to since the last published run;
            only its set is believed to have them as they are.
        rewrite: write every file from nothing, so that no byte of an earlier set is in it.

    Raises:
        PublishRefused: a stage is not built or validated for this run, or the candidate is not
            fit; readers go on with the set that they have.
        ConfigError: `roles.yml`, `personal_data.yml` or `sources.yml` is wrong.
    """
    started = time.monotonic()
    settings = warehouse.settings
    refuse_unless_ready(warehouse, run)
    masks = _masks(settings)
    roles, personal_data = load_roles(settings), load_personal_data(settings)
    _refuse_unknown_groups(roles)
    shelf = shelf_of(warehouse)
    tables = _tables_of_roles(warehouse, shelf, roles, personal_data, load_catalogue(project))
    facts = _facts_of_run(warehouse, run)
    shelf.remove_leftovers()
    offer = Offer(
        run=run,
        set_name=shelf.new_name(run),
        published_at=utc_now(),
        landing_high_water=facts.landing_high_water,
        logic_hash=facts.logic_hash,
        masks=masks,
        roles=roles,
        tables=tables,
        personal_data=personal_data,
        freshness={
            name: (source.description, freshness_of(warehouse, run, source))
            for name, source in sorted(load_sources(settings).sources.items())
        },
        untouched=untouched,
        rewrite=rewrite,
    )
    reached("publish.before_build")
    candidate = shelf.build(offer)
    reached("publish.after_manifest")
    try:
        if not validate(candidate.place):
            raise PublishRefused(
                "serving", "the candidate set did not pass its gate; see governance.gate_results"
            )
        reached("publish.after_validate")
        shelf.accept(candidate)
    except BaseException:
        shelf.discard(candidate)
        raise
    reached("publish.after_rename")

    shelf.swap(offer.set_name)
    _record(warehouse, candidate.says)
    reached("publish.after_record")
    shelf.remove_old(offer.set_name, settings.serving_sets_kept)
    reached("publish.after_removal")
    return Publication(
        run_id=run.run_id,
        run_number=run.run_number,
        set_name=offer.set_name,
        place=shelf.place_of(offer.set_name),
        published_at=offer.published_at,
        roles=tuple(roles),
        rows=candidate.rows,
        bytes={role: content.bytes for role, content in candidate.says.roles.items()},
        files=candidate.ways,
        seconds=time.monotonic() - started,
    )


def refuse_if_changed_meanwhile(warehouse: Warehouse, run: Run) -> None:
    """Check that the files still say what the run has built.

    Raises:
        PublishRefused: a model or a declaration has changed since the run was loaded.
    """
    logic = warehouse.scalar(
        "SELECT logic_hash FROM governance.runs WHERE run_id = ?", [run.run_id]
    )
    if logic != logic_hash(warehouse.settings):
        raise PublishRefused(STAGES[0], CHANGED_MEANWHILE)


def refuse_unless_ready(warehouse: Warehouse, run: Run) -> None:
    """Check that every stage was built whole by this run and has passed its gate since.

    Raises:
        PublishRefused: naming the first stage, in the order of the data, that stands in the way.
    """
    ensure_run_tables(warehouse)
    states = stage_states(warehouse)
    for stage in STAGES:
        state = states[stage]
        if state.built_by is None:
            raise PublishRefused(stage, "it has never been built; run the whole way first")
        if state.built_by != run.run_id:
            raise PublishRefused(
                stage,
                f"it was last built by run {state.built_by}, not by this run, {run.run_id}; "
                "run the whole way again",
            )
        if not state.complete:
            raise PublishRefused(
                stage, "only a part of it has been built; build the whole stage in this run"
            )
        if not state.passed:
            raise PublishRefused(
                stage,
                "its gate has not passed since it was built; see governance.gate_results for the "
                "checks that failed, mend what they found, and run again",
            )


def recover_publication(warehouse: Warehouse) -> str | None:
    """Put the record right after a kill between the swap and its recording.

    To be called whenever a run begins, before `begin_run` gives out a number. The pointer is what
    readers go by, so what it names is published, whether or not the killed run came to say so.
    Doing it twice changes nothing.

    Returns:
        The id of the run that was recorded as published by this call; None if nothing was amiss.

    Raises:
        DamagedSet: the pointer names a set that has no readable manifest.
    """
    settings = warehouse.settings
    ensure_run_tables(warehouse)
    warehouse.execute(_TABLES)
    shelf = shelf_of(warehouse)
    shelf.remove_leftovers()
    published = shelf.current()
    if published is None:
        return None
    recorded = warehouse.scalar(
        "SELECT count(*) FROM serving.publications AS p "
        "JOIN governance.runs AS r ON r.run_number = p.run_number AND r.run_id = p.run_id "
        "AND r.status = 'published' "
        "WHERE p.set_name = ?",
        [published.set_name],
    )
    amended = None
    # A warehouse that was restored or begun anew knows nothing of the run; what its own tables
    # hold has not been published then, and the record must not say so.
    if not recorded and _knows(warehouse, published):
        _record(warehouse, published)
        amended = published.run_id
    shelf.remove_old(published.set_name, settings.serving_sets_kept)
    return amended


def _record(warehouse: Warehouse, published: PublishedSet) -> None:
    """Record a publication as the set tells it; again for the same set changes nothing."""
    warehouse.execute(_TABLES)
    with warehouse.transaction() as session:
        session.execute("DELETE FROM serving.publications WHERE set_name = ?", [published.set_name])
        session.insert(
            "serving.publications",
            [
                (
                    published.run_id,
                    published.run_number,
                    published.set_name,
                    published.published_at,
                    role,
                    content.tables,
                    content.rows,
                    content.bytes,
                )
                for role, content in published.roles.items()
            ],
        )
        reached("publish.in_record")
        session.execute(
            "UPDATE governance.runs SET status = 'published', published_set = ?, "
            "landing_high_water = ?, finished_at = coalesce(finished_at, ?) "
            "WHERE run_number = ? AND run_id = ?",
            [
                published.set_name,
                published.landing_high_water,
                published.published_at,
                published.run_number,
                published.run_id,
            ],
        )


def _knows(warehouse: Warehouse, published: PublishedSet) -> bool:
    return bool(
        warehouse.scalar(
            "SELECT count(*) FROM governance.runs WHERE run_number = ? AND run_id = ?",
            [published.run_number, published.run_id],
        )
    )


# --- what goes into a set ------------------------------------------------------------------------


def _refuse_unknown_groups(roles: Mapping[str, Role]) -> None:
    for role in roles.values():
        try:
            if role.group:
                grp.getgrnam(role.group)
        except KeyError:
            raise PublishRefused(
                "serving",
                f"config/roles.yml gives role {role.name} to the group {role.group}, which this "
                "machine does not have; create it or take the line out",
            ) from None


def _tables_of_roles(
    warehouse: Warehouse,
    shelf: Shelf,
    roles: Mapping[str, Role],
    personal_data: PersonalData,
    catalogue: Catalogue,
) -> dict[tuple[str, str], list[ServedTable]]:
    """The tables of each role and section, all of whose columns are declared."""
    present = set(warehouse.relations())
    # What the project no longer has, such as the view of a segment that was taken back, may still
    # stand in the warehouse.
    offered = present & set(catalogue)
    served: dict[tuple[str, str], list[ServedTable]] = {}
    known: dict[tuple[tuple[str, str], ...], list[ServedTable]] = {}
    for role in roles.values():
        for section in SECTIONS:
            for pattern in role.patterns(section):
                if not expand([pattern], offered) and "*" not in pattern:
                    raise PublishRefused(
                        "serving",
                        f"config/roles.yml gives role {role.name} the table {pattern}, which the "
                        "project has no model of or which has not been built",
                    )
            names = tuple(expand(role.patterns(section), offered))
            if names not in known:
                known[names] = shelf.served(names, catalogue)
            served[role.name, section] = known[names]
    undeclared = personal_data.undeclared(
        dict.fromkeys(
            column for tables in known.values() for table in tables for column in table.columns
        )
    )
    if undeclared:
        raise PublishRefused("serving", str(UndeclaredColumns(undeclared)))
    return served


@dataclass(frozen=True)
class _RunFacts:
    landing_high_water: int
    logic_hash: str


def _facts_of_run(warehouse: Warehouse, run: Run) -> _RunFacts:
    """How far the models have read, from the row that they all joined."""
    rows = warehouse.rows("SELECT run_number, landing_high_water FROM governance.int_current_run")
    if not rows or rows[0][0] != run.run_number:
        raise PublishRefused(
            "staging",
            f"its models were built for run number {rows[0][0] if rows else 'none'}, not for this "
            f"run, number {run.run_number}; run the whole way again",
        )
    logic_hash = warehouse.scalar(
        "SELECT logic_hash FROM governance.runs WHERE run_number = ?", [run.run_number]
    )
    return _RunFacts(int(rows[0][1]), str(logic_hash))


def _masks(settings: Settings) -> str:
    """A hash of what decides which columns a role is shown.

    A run goes by the declarations that it has begun with; what readers see goes by those of the
    moment, and must not be taken over from a set that was written by others.
    """
    digest = hashlib.sha256()
    for name in (roles_config.FILE, personal_data_config.FILE):
        digest.update(config_path(settings.config, name).read_bytes())
    return digest.hexdigest()
