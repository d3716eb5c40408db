"""Running dbt inside this process, on the store's own connection.

Belongs here: the profile that dbt is given, the kept manifest that makes a warm build cheap, and
building a stage. Does not belong here: what any model says (`dbt_project/`), when it runs
(`orchestration/`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from cdp.warehouse.building import building
from cdp.warehouse.engines.embedded import CATALOG, INSTANCE
from cdp.warehouse.fault_points import reached
from cdp.warehouse.runs import CHANGED_MEANWHILE, Run, logic_hash, mark_stage
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


_KIND = re.compile(r"\b((?:[A-Z][A-Za-z-]+ )(?:[a-z]+ |[A-Z][A-Za-z]+ )*Error)\b")
_OF_DBT = ("Runtime Error", "Compilation Error", "Database Error")
_OF_DEFINITIONS = (
    *("Binder Error", "Catalog Error", "Parser Error", "Syntax Error", "Dependency Error"),
    *("Not implemented Error", "IO Error", "Out of Memory Error", "Interrupt Error"),
)
"""Kinds of errors of the engine whose texts are about statements and machines, never about rows."""


MANIFESTS_KEPT = 3
"""Parsed projects that a process holds on to, each some tens of megabytes: a process that serves
several deployments parses none of them again at every turn."""


class ModelsFailed(RuntimeError):
    """Models could not be built; names them with what the engine said."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or seed."""

    unique_id: str
    name: str
    schema: str
    status: str
    seconds: float
    message: str


@dataclass(frozen=True)
class BuildReport:
    """What one build did, in the order in which nodes finished."""

    nodes: tuple[NodeResult, ...]
    seconds: float


class Models:
    """The dbt project of a deployment, parsed once and built stage by stage."""

    _kept: ClassVar[dict[tuple[Path, str, str], Manifest]] = {}

    def __init__(self, settings: Settings, project: Path, logic: str | None = None) -> None:
        """
        Args:
            logic: the `logic_hash` of the run that builds. What it builds is parsed once then, and
                stays as it is whatever becomes of the files.
        """
        self.settings = settings
        self.project = project
        self._logic = logic
        self._pinned: Manifest | None = None
        self._profiles = _write_profile(settings)

    def manifest(self) -> Manifest:
        """The parsed project; parsed again only when one of its files has changed.

        Raises:
            ModelsFailed: the project cannot be parsed, or is not of the run's logic any more.
        """
        if self._pinned is not None:
            return self._pinned
        manifest = self._parsed()
        if self._logic is not None:
            # Asked for after parsing: whatever was read is of this logic, or was changed since.
            if logic_hash(self.settings) != self._logic:
                raise ModelsFailed(CHANGED_MEANWHILE)
            self._pinned = manifest
        return manifest

    def _parsed(self) -> Manifest:
        # A parsed project is of one engine: it names its relations and chooses its macros.
        key = (self.project, self.fingerprint(), self.settings.target)
        # Put in again at the end, so that the first is the one that nobody has asked for longest.
        manifest = self._kept.pop(key, None) or self._invoke(["parse"], manifest=None).result
        self._kept[key] = manifest
        while len(self._kept) > MANIFESTS_KEPT:
            del self._kept[next(iter(self._kept))]
        return manifest

    def fingerprint(self) -> str:
        """Changes whenever a file of the project has been edited, added or removed."""
        return _fingerprint(self.project)

    def build(
        self,
        warehouse: Warehouse,
        run: Run,
        stage: str,
        *,
        select: Sequence[str] | None = None,
        part: bool = False,
        full_refresh: bool = False,
        views: bool = True,
        on_node: Callable[[NodeResult], None] | None = None,
    ) -> BuildReport:
        """Build the models of a stage, or those of it that `select` names.

        Args:
            part: whether the stage is out of step afterwards, since some of its tables, or of those
                that they are built from, are another run's.
            views: whether views are written too; they say the same in every run of one logic.

        Raises:
            ModelsFailed: at least one model could not be built; the others of the stage that do
                not depend on it were.
        """
        mark_stage(warehouse, run, stage, "part" if part else "building")
        reached("models.before_stage")

        def heard(node: NodeResult) -> None:
            reached("models.after_model")
            if on_node:
                on_node(node)

        chosen = list(select) if select else [f"tag:{stage}"]
        if not views:
            chosen += ["--exclude", "config.materialized:view"]
        report = self._run("run", chosen, full_refresh, heard)
        reached("models.after_stage")
        if not part:
            mark_stage(warehouse, run, stage, "built" if not select else "building")
        return report

    def unit_test(self, select: Sequence[str] = ()) -> BuildReport:
        """Run the unit tests of the models, on tables that a build has made.

        Raises:
            ModelsFailed: at least one gave other rows than it expects; says which rows.
        """
        return self._run("test", [*(select or ["*"]), "--exclude", "test_type:data"], False, None)

    def seed(self, *, full_refresh: bool = True) -> BuildReport:
        """Load the seeds."""
        return self._run("seed", ["tag:seeds"], full_refresh, None)

    def _run(
        self,
        command: str,
        select: Iterable[str],
        full_refresh: bool,
        on_node: Callable[[NodeResult], None] | None,
    ) -> BuildReport:
        arguments = [command, "--select", *select]
        if full_refresh:
            arguments.append("--full-refresh")
        manifest = self.manifest()
        with building(self.settings):
            outcome = self._invoke(arguments, manifest=manifest, on_node=on_node)
        nodes = tuple(_node_result(each) for each in outcome.result.results)
        failed = [node for node in nodes if node.status in _FAILED]
        if failed or not outcome.success:
            raise ModelsFailed(_complaint(failed, nodes))
        return BuildReport(nodes, outcome.result.elapsed_time)

    def _invoke(
        self,
        arguments: list[str],
        manifest: Manifest | None,
        on_node: Callable[[NodeResult], None] | None = None,
    ) -> Any:
        # dbt takes seconds to import, which a reader of profiles or settings should not pay.
        from dbt.cli.main import dbtRunner

        _PREPARED[self.settings.target]()

        def heard(event: Any) -> None:
            if on_node and event.info.name == "NodeFinished":
                on_node(_finished(event))

        runner = dbtRunner(manifest=manifest, callbacks=[heard] if on_node else [])
        common = [
            "--project-dir", str(self.project),
            "--profiles-dir", str(self._profiles),
            "--target-path", str(self.settings.dbt_dir / "target"),
            "--log-path", str(self.settings.dbt_dir / "logs"),
            # What goes wrong is told by the errors raised here, without any value of a row.
            "--log-level-file", "none",
            "--log-level", "none",
            "--cache-selected-only",
            "--quiet",
            "--no-print",
        ]  # fmt: skip
        if manifest is not None:
            common.append("--no-write-json")
        outcome = runner.invoke([*arguments, *common])
        error = outcome.exception
        if error is None:
            return outcome
        if not isinstance(error, Exception):
            # Somebody ends the process. dbt hands that back as if it had failed at its work.
            raise error
        raise ModelsFailed(
            f"dbt could not {arguments[0]} the project at {self.project}: {_cause(error)}"
        ) from error


def _prepare_duckdb() -> None:
    from cdp.warehouse.engines.dbt_embedded import run_on_the_embedded_engine

    run_on_the_embedded_engine()


def _prepare_spark() -> None:
    from cdp.warehouse.engines.dbt_sessions import run_on_the_session

    run_on_the_session()


def _prepare_snowflake() -> None:
    from cdp.warehouse.engines.dbt_warehouses import run_on_snowflake

    run_on_snowflake()


def _prepare_bigquery() -> None:
    from cdp.warehouse.engines.dbt_warehouses import run_on_bigquery

    run_on_bigquery()


_PREPARED = {
    "duckdb": _prepare_duckdb,
    "spark": _prepare_spark,
    "snowflake": _prepare_snowflake,
    "bigquery": _prepare_bigquery,
}
"""What this process does to dbt's adapter before it is used."""


def _finished(event: Any) -> NodeResult:
    info, result = event.data.node_info, event.data.run_result
    return NodeResult(
        unique_id=info.unique_id,
        name=info.node_name,
        schema=info.node_relation.schema,
        status=info.node_status,
        seconds=result.execution_time,
        message=result.message,
    )


def _node_result(result: Any) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        schema=result.node.schema,
        status=str(result.status),
        seconds=result.execution_time,
        message=result.message or "",
    )


def _cause(error: BaseException) -> str:
    """What an error says; of one without a word its kind, and what it came from."""
    told = str(error).strip()
    if told:
        return told
    before = error.__cause__ or error.__context__
    return type(error).__name__ + (f", after {_first_lines(_cause(before))}" if before else "")


_FAILED = ("error", "fail", "runtime error", "partial success")
"""What dbt calls a node that is not as it should be."""


def _complaint(failed: Sequence[NodeResult], nodes: Sequence[NodeResult]) -> str:
    if not failed:
        ends = Counter(node.status for node in nodes)
        told = ", ".join(f"{count} {status}" for status, count in ends.items()) or "no model at all"
        return f"dbt failed without naming a model; it came to: {told}"
    told = "; ".join(
        f"{node.schema}.{node.name}: {_first_lines(node.message) or node.status}" for node in failed
    )
    return f"{len(failed)} model(s) could not be built: {told}"


def _first_lines(message: str) -> str:
    """What may be told of an error: its text where it is about a statement, else its kind alone.

    A text about a row may hold any of its values, quoted or not.
    """
    kinds = [kind for kind in _KIND.findall(message) if kind not in _OF_DBT]
    if kinds and kinds[0] not in _OF_DEFINITIONS:
        return f"{kinds[0]} (its text may hold values of rows, and is told nowhere)"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[:6])[:600]


def _write_profile(settings: Settings) -> Path:
    """Give dbt the engine that this process has opened."""
    profile = {
        "tributary": {
            "target": settings.target,
            # One model at a time: each uses all threads of the engine by itself.
            "outputs": {settings.target: {**_OUTPUTS[settings.target](settings), "threads": 1}},
        }
    }
    settings.dbt_dir.mkdir(parents=True, exist_ok=True)
    path = settings.dbt_dir / "profiles.yml"
    text = yaml.safe_dump(profile, sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return settings.dbt_dir


def _embedded(settings: Settings) -> dict[str, Any]:
    """The store's own instance: same name, same attached catalogue.

    What is attached there stays; dbt only has to know its name. It is not told the file: where a
    profile says another thing than before, it parses everything anew.
    """
    return {
        "type": "duckdb",
        "path": INSTANCE,
        "database": CATALOG,
        "schema": "main",
        "attach": [{"path": ":memory:", "alias": CATALOG}],
        "settings": {"TimeZone": "UTC"},
    }


def _spark(settings: Settings) -> dict[str, Any]:
    """The process's one Spark session, which its own properties tell where the lake is."""
    return {"type": "spark", "method": "session", "host": "localhost", "schema": "default"}


def _snowflake(settings: Settings) -> dict[str, Any]:
    """The account, by key pair: dbt reads the key's file, and the variable of its passphrase."""
    phrase = settings.snowflake_private_key_passphrase
    secret = {
        "private_key_passphrase": "{{ env_var('CDP_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE') }}",
    }
    return {
        "type": "snowflake",
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "private_key_path": str(settings.snowflake_private_key_path),
        **(secret if phrase else {}),
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
        "database": settings.snowflake_database,
        # Where temporary tables lie; every database has it.
        "schema": "public",
        "reuse_connections": True,
    }


def _bigquery(settings: Settings) -> dict[str, Any]:
    """The project by a key file, or by the application default credentials of the machine."""
    keyfile = settings.bigquery_keyfile
    return {
        "type": "bigquery",
        **(
            {"method": "service-account", "keyfile": str(keyfile)}
            if keyfile
            else {"method": "oauth"}
        ),
        "project": settings.bigquery_project,
        # Where rows are kept for later statements; the control tables have made it.
        "dataset": "governance",
        "location": settings.bigquery_location,
    }


_OUTPUTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "duckdb": _embedded,
    "spark": _spark,
    "snowflake": _snowflake,
    "bigquery": _bigquery,
}


def _fingerprint(project: Path) -> str:
    """Names, sizes and times of the project's files: enough to know that nothing was edited."""
    digest = hashlib.sha256()
    for folder in ("models", "macros", "seeds"):
        for path in sorted((project / folder).rglob("*")):
            if path.is_file():
                stat = path.stat()
                digest.update(f"{path}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    stat = (project / "dbt_project.yml").stat()
    digest.update(f"{stat.st_size}|{stat.st_mtime_ns}".encode())
    return digest.hexdigest()
