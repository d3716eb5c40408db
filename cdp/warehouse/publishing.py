"""Publishing: from built and validated stages to the set that readers see.

Belongs here: deciding whether a run may publish, the order of the steps, the record of what was
published, and putting that record right after a kill. Does not belong here: how files are written
(`cdp.warehouse.set_files`), how they lie on disk (`cdp.warehouse.serving_sets`), what the gate of
serving checks (it is handed in).

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
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from cdp.config import personal_data as personal_data_config
from cdp.config import roles as roles_config
from cdp.config.personal_data import PersonalData, UndeclaredColumns, load_personal_data
from cdp.config.roles import SECTIONS, Role, expand, load_roles
from cdp.config.shipped import config_path
from cdp.config.sources import load_sources
from cdp.warehouse import manifest as manifests
from cdp.warehouse.fault_points import reached
from cdp.warehouse.freshness import freshness_of
from cdp.warehouse.manifest import DamagedSet, FileContent, Manifest, read_manifest
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
from cdp.warehouse.serving_sets import (
    accept,
    current_set,
    new_candidate,
    new_set_path,
    published_sets,
    remove_leftovers,
    remove_sets,
    swap,
)
from cdp.warehouse.set_files import ServedTable, SetWriter, served_tables
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse

Validate = Callable[[Path], bool]
"""The gate of serving: whether the candidate set in a folder may be shown to readers."""

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
        rows: rows by role and `schema.table`.
        files: by `role/file`, how it came to be: written, patched or linked.
    """

    run_id: str
    run_number: int
    set_name: str
    set_path: Path
    published_at: datetime
    roles: tuple[str, ...]
    rows: Mapping[str, Mapping[str, int]]
    bytes: int
    files: Mapping[str, str]
    seconds: float


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
        validate: the gate of serving, called with the candidate's folder.
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
    tables = _tables_of_roles(warehouse, roles, personal_data, load_catalogue(project))
    facts = _facts_of_run(warehouse, run)
    remove_leftovers(settings)
    path = new_set_path(settings, run)
    published_at = utc_now()
    previous = None if rewrite else _buildable_set(settings, facts.logic_hash, masks)
    reached("publish.before_build")

    candidate = new_candidate(settings)
    try:
        writer = SetWriter(
            warehouse,
            personal_data,
            about=_about(warehouse, run, path.name, published_at, facts),
            run_id=run.run_id,
            previous=previous[0] if previous else None,
            previous_files=previous[1].roles if previous else {},
            untouched=frozenset(untouched) if _is_of_last_run(warehouse, previous) else frozenset(),
        )
        content: dict[str, dict[str, FileContent]] = {}
        ways: dict[str, str] = {}
        for role in roles.values():
            for section in SECTIONS:
                report = writer.write(candidate, role, section, tables[role.name, section])
                content.setdefault(role.name, {})[f"{section}.duckdb"] = report.content
                ways[f"{role.name}/{section}.duckdb"] = report.way
                reached("publish.after_file")
        manifest = Manifest(
            set_name=path.name,
            run_id=run.run_id,
            run_number=run.run_number,
            as_of=run.as_of,
            published_at=published_at,
            landing_high_water=facts.landing_high_water,
            logic_hash=facts.logic_hash,
            masks=masks,
            engine=duckdb.__version__,
            roles=content,
        )
        manifests.write_manifest(candidate, manifest)
        reached("publish.after_manifest")
        if not validate(candidate):
            raise PublishRefused(
                "serving", "the candidate set did not pass its gate; see governance.gate_results"
            )
        reached("publish.after_validate")
        accept(candidate, path)
    except BaseException:
        shutil.rmtree(candidate, ignore_errors=True)
        raise
    reached("publish.after_rename")

    swap(settings, path)
    _record(warehouse, manifest)
    reached("publish.after_record")
    _remove_old_sets(settings, path)
    reached("publish.after_removal")
    return Publication(
        run_id=run.run_id,
        run_number=run.run_number,
        set_name=path.name,
        set_path=path,
        published_at=published_at,
        roles=tuple(roles),
        rows={
            role: {
                name: table.rows for file in files.values() for name, table in file.tables.items()
            }
            for role, files in content.items()
        },
        bytes=sum(manifest.bytes(role) for role in roles),
        files=ways,
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
    remove_leftovers(settings)
    path = current_set(settings)
    if path is None:
        return None
    recorded = warehouse.scalar(
        "SELECT count(*) FROM serving.publications AS p "
        "JOIN governance.runs AS r ON r.run_number = p.run_number AND r.run_id = p.run_id "
        "AND r.status = 'published' "
        "WHERE p.set_name = ?",
        [path.name],
    )
    amended = None
    if not recorded:
        manifest = read_manifest(path)
        # A warehouse that was restored or begun anew knows nothing of the run; what its own tables
        # hold has not been published then, and the record must not say so.
        if _knows(warehouse, manifest):
            _record(warehouse, manifest)
            amended = manifest.run_id
    _remove_old_sets(settings, path)
    return amended


def _record(warehouse: Warehouse, manifest: Manifest) -> None:
    """Record a publication as its manifest tells it; again for the same set changes nothing."""
    warehouse.execute(_TABLES)
    with warehouse.transaction() as session:
        session.execute("DELETE FROM serving.publications WHERE set_name = ?", [manifest.set_name])
        session.insert(
            "serving.publications",
            [
                (
                    manifest.run_id,
                    manifest.run_number,
                    manifest.set_name,
                    manifest.published_at,
                    role,
                    manifest.table_count(role),
                    manifest.rows(role),
                    manifest.bytes(role),
                )
                for role in manifest.roles
            ],
        )
        reached("publish.in_record")
        session.execute(
            "UPDATE governance.runs SET status = 'published', published_set = ?, "
            "landing_high_water = ?, finished_at = coalesce(finished_at, ?) "
            "WHERE run_number = ? AND run_id = ?",
            [
                manifest.set_name,
                manifest.landing_high_water,
                manifest.published_at,
                manifest.run_number,
                manifest.run_id,
            ],
        )


def _knows(warehouse: Warehouse, manifest: Manifest) -> bool:
    return bool(
        warehouse.scalar(
            "SELECT count(*) FROM governance.runs WHERE run_number = ? AND run_id = ?",
            [manifest.run_number, manifest.run_id],
        )
    )


def _remove_old_sets(settings: Settings, current: Path) -> None:
    """Keep the current set and the newest before it; remove all others.

    A set under a final name that is newer than the current one was never swapped in.
    """
    sets = published_sets(settings)
    older = [path for path in sets if path.name < current.name]
    kept = {current, *older[len(older) - (settings.serving_sets_kept - 1) :]}
    remove_sets(settings, [path for path in sets if path not in kept])


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
                known[names] = served_tables(warehouse, names, catalogue)
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


def _buildable_set(settings: Settings, logic_hash: str, masks: str) -> tuple[Path, Manifest] | None:
    """The current set, where a new one may take over from it what has not changed."""
    path = current_set(settings)
    if path is None:
        return None
    try:
        manifest = read_manifest(path)
    except DamagedSet:
        return None
    same = (
        manifest.format == manifests.FORMAT
        and manifest.logic_hash == logic_hash
        and manifest.masks == masks
        and manifest.engine == duckdb.__version__
        and all(
            (path / role / name).is_file() and (path / role / name).stat().st_size == content.bytes
            for role, files in manifest.roles.items()
            for name, content in files.items()
        )
    )
    return (path, manifest) if same else None


def _is_of_last_run(warehouse: Warehouse, previous: tuple[Path, Manifest] | None) -> bool:
    """Whether a set is that of the run which this warehouse published last.

    It is not where the warehouse was restored from a copy, or the sets were.
    """
    last = warehouse.rows(
        "SELECT run_id, published_set FROM governance.runs WHERE status = 'published' "
        "ORDER BY run_number DESC LIMIT 1"
    )
    return previous is not None and last == [(previous[1].run_id, previous[1].set_name)]


def _about(
    warehouse: Warehouse, run: Run, set_name: str, published_at: datetime, facts: _RunFacts
) -> dict[str, str]:
    """The SQL of the `about` tables that every file has."""
    return {
        "publication": _values(
            {
                "run_id": "VARCHAR",
                "run_number": "BIGINT",
                "as_of": "TIMESTAMP",
                "published_at": "TIMESTAMP",
                "set_name": "VARCHAR",
                "landing_high_water": "BIGINT",
                "tributary_version": "VARCHAR",
                "duckdb_version": "VARCHAR",
            },
            [
                (
                    run.run_id,
                    run.run_number,
                    run.as_of,
                    published_at,
                    set_name,
                    facts.landing_high_water,
                    _own_version(),
                    duckdb.__version__,
                )
            ],
        ),
        "freshness": _values(
            {
                "source": "VARCHAR",
                "description": "VARCHAR",
                "newest_landed_at": "TIMESTAMP",
                "newest_occurred_at": "TIMESTAMP",
                "complete_until": "TIMESTAMP",
                "fresh_within": "INTERVAL",
                "is_stale": "BOOLEAN",
            },
            list(_freshness(warehouse, run)),
        ),
    }


def _freshness(warehouse: Warehouse, run: Run) -> Iterable[tuple[object, ...]]:
    """How far each source is known, against how fresh it is declared to be at `as_of`."""
    for name, source in sorted(load_sources(warehouse.settings).sources.items()):
        known = freshness_of(warehouse, run, source)
        yield (
            name,
            source.description,
            known.landed_at,
            known.occurred_at,
            known.complete_until,
            known.within,
            known.is_stale,
        )


def _values(columns: Mapping[str, str], rows: list[tuple[object, ...]]) -> str:
    """A query that gives the rows, typed."""
    listed = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
    names = ", ".join(f"c{position}" for position in range(len(columns)))
    typed = ", ".join(
        f"CAST(c{position} AS {kind}) AS {name}"
        for position, (name, kind) in enumerate(columns.items())
    )
    return f"SELECT {typed} FROM (VALUES {listed}) AS v({names})"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, timedelta):
        return f"to_seconds({value.total_seconds():.0f})"
    return "'" + str(value).replace("'", "''") + "'"


def _own_version() -> str:
    try:
        return version("tributary")
    except PackageNotFoundError:
        # Run from a clone that was not installed.
        return "unknown"
