"""BigQuery: one dataset a stage, in one project.

Belongs here: the client, datasets, and a session over them. Does not belong here: rows and types
(`bigquery_rows`), the dialect (`translation`), what a transaction is (`translated_session`), sets.

BigQuery has transactions, within a session of its own: a killed process leaves one open, and with
it the tables that it has written to are held until BigQuery ends it hours later; what is loaded and
the tables that are made stand outside of it. So none is used, and what belongs together is an order
of commits, as on the lake.

What is temporary are tables of a dataset that a session makes when it first needs one, and removes
at its end. What a killed session has left expires within a day, and goes with the next opening.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from cdp.warehouse.engines.bigquery_rows import as_declared, fetched, load, type_name
from cdp.warehouse.engines.checking import BadTarget, google_credentials
from cdp.warehouse.engines.dbt_warehouses import bigquery_kind
from cdp.warehouse.engines.desk import desk_of, empty_spill
from cdp.warehouse.engines.translated_session import StatementFailed, TranslatedSession
from cdp.warehouse.engines.translation import translated, type_of
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import SCHEMAS, Left, Parameters, Relations, Table, Warehouse

if TYPE_CHECKING:
    import duckdb
    from google.cloud.bigquery import Client, QueryJob

DIALECT = "bigquery"

LABELS = {"made_by": "tributary"}
"""On datasets and jobs, so that a bill says what was ours."""

_SCRATCH = {**LABELS, "tributary_scratch": "yes"}
_SCRATCH_HOURS = 24


class BigQuerySession(TranslatedSession):
    """Statements that are a job each."""

    dialect = DIALECT

    def __init__(self, house: BigQuery, standing_in: str | None = None) -> None:
        """
        Args:
            standing_in: the dataset where names without one are looked for, while nothing is
                temporary.
        """
        super().__init__(house.made)
        self._house = house
        self._standing_in = standing_in
        self._scratch: str | None = None

    def run(self, statement: str) -> None:
        with _quiet_about_rows():
            self._job(statement).result()

    def fetched(self, statement: str) -> pa.Table:
        with _quiet_about_rows():
            return fetched(self._job(statement))

    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        client = self._house.client
        there = client.get_table(self._house.path(exp.to_table(table, dialect="duckdb")))
        whole = as_declared(rows, there.schema)
        with _quiet_about_rows():
            load(client, whole, there.reference, there.schema, append=True)

    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        (statement,) = translated(query, DIALECT, parameters)
        self._own()
        self.run(f"CREATE OR REPLACE TABLE {name} AS {statement}")

    def lay(self, name: str, rows: pa.Table) -> None:
        place = f"{self._own()}.{name}"
        with _quiet_about_rows():
            load(self._house.client, rows, place)

    def files(self, name: str, paths: Sequence[str]) -> None:
        import pyarrow.parquet

        self.lay(name, pa.concat_tables(pyarrow.parquet.read_table(path) for path in paths))

    def close(self) -> None:
        """Remove what is temporary."""
        if self._scratch:
            self._house.client.delete_dataset(
                self._scratch, delete_contents=True, not_found_ok=True
            )
            self._scratch = None

    def _job(self, statement: str) -> QueryJob:
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig()
        if self._scratch or self._standing_in:
            # Where names without a dataset are looked for, and made.
            config.default_dataset = self._scratch or self._standing_in
        return self._house.client.query(statement, job_config=config)

    def _own(self) -> str:
        """The dataset of what is temporary."""
        if self._scratch is None:
            self._scratch = self._house.make_scratch()
        return self._scratch


@contextmanager
def _quiet_about_rows() -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPICallError

    try:
        yield
    except GoogleAPICallError as error:
        kind = bigquery_kind(error)
        if kind is None:
            raise
        raise StatementFailed(kind) from None


class BigQuery(Warehouse):
    """The datasets of a deployment."""

    def __init__(self, settings: Settings, client: Client) -> None:
        # Imported by who needs it: the package is a part that not every deployment has.
        from google.api_core.exceptions import GoogleAPICallError

        super().__init__(settings)
        self.failures = (GoogleAPICallError, StatementFailed)
        self.client = client
        self.made: set[str] = set()

    @cached_property
    def _instance(self) -> duckdb.DuckDBPyConnection:
        return desk_of(self.settings, empty_spill(self.settings))

    def desk(self) -> duckdb.DuckDBPyConnection:
        return self._instance.cursor()

    @contextmanager
    def session(self, standing_in: str | None = None) -> Iterator[BigQuerySession]:
        session = BigQuerySession(self, standing_in)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def transaction(self, undo: Sequence[Left] = ()) -> Iterator[BigQuerySession]:
        with self.session() as session:
            session.take_away(undo)
            yield session

    def has_table(self, schema: str, name: str) -> bool:
        from google.api_core.exceptions import NotFound

        try:
            self.client.get_table(f"{self.settings.bigquery_project}.{schema}.{name}")
        except NotFound:
            return False
        return True

    def relations(self) -> Relations:
        listed = _of_all_stages(
            "COLUMNS", "table_schema, table_name, column_name, data_type, ordinal_position"
        )
        found: dict[Table, dict[str, str]] = {}
        for schema, table, column, kind in self._asked(
            f"SELECT table_schema, table_name, column_name, data_type FROM ({listed}) AS listed "
            "ORDER BY table_schema, table_name, ordinal_position"
        ):
            found.setdefault((schema, table), {})[column] = type_name(kind)
        return found

    def views(self) -> frozenset[Table]:
        listed = _of_all_stages("TABLES", "table_schema, table_name, table_type")
        return frozenset(
            (schema, name)
            for schema, name in self._asked(
                f"SELECT table_schema, table_name FROM ({listed}) AS listed "
                "WHERE table_type = 'VIEW'"
            )
        )

    def kept_as(self, declared: str) -> frozenset[str]:
        if declared in ("TINYINT", "SMALLINT", "INTEGER"):
            return frozenset({"BIGINT"})
        if declared == "FLOAT":
            return frozenset({"DOUBLE"})
        if type_of(declared, DIALECT).startswith("NUMERIC("):
            # What a query makes has lost its size, which a declared column has.
            return frozenset({declared, type_name("NUMERIC")})
        return frozenset({declared})

    def checkpoint(self) -> None:
        """What a job has written is whole as it is."""

    def path(self, table: exp.Table) -> str:
        """A table's name as the client takes it."""
        return f"{self.settings.bigquery_project}.{table.db}.{table.name}"

    def make_scratch(self) -> str:
        """A new dataset whose tables expire."""
        from google.cloud import bigquery

        made = bigquery.Dataset(f"{self.settings.bigquery_project}.scratch_{uuid.uuid4().hex}")
        made.location = self.settings.bigquery_location
        made.labels = _SCRATCH
        made.default_table_expiration_ms = _SCRATCH_HOURS * 3_600_000
        self.client.create_dataset(made)
        return f"{made.project}.{made.dataset_id}"

    def prepare(self) -> None:
        """Make the datasets that are missing, and remove what a killed process has left.

        Raises:
            BadTarget: a dataset lies elsewhere than the setting says.
        """
        from google.cloud import bigquery

        wanted = str(self.settings.bigquery_location)
        for schema in SCHEMAS:
            made = bigquery.Dataset(f"{self.settings.bigquery_project}.{schema}")
            made.location = wanted
            made.labels = LABELS
            lies = self.client.create_dataset(made, exists_ok=True).location
            if lies and lies.lower() != wanted.lower():
                raise BadTarget(
                    f"the dataset {schema} of the project {self.settings.bigquery_project} lies in "
                    f"{lies}, and the setting bigquery_location (CDP_BIGQUERY_LOCATION) says "
                    f"{wanted}; a dataset never moves: name its location, or another project"
                )
        for left in self.client.list_datasets(filter="labels.tributary_scratch:yes"):
            self.client.delete_dataset(left.reference, delete_contents=True, not_found_ok=True)

    def _asked(self, statement: str) -> list[tuple[Any, ...]]:
        with self.session() as session:
            return [tuple(row.values()) for row in session.fetched(statement).to_pylist()]


def _of_all_stages(what: str, columns: str) -> str:
    """A query of what the stages' datasets say of themselves: a dataset's own catalogue needs no
    permission for the project's other datasets."""
    return " UNION ALL ".join(
        f"SELECT {columns} FROM `{schema}`.INFORMATION_SCHEMA.{what}" for schema in SCHEMAS
    )


@contextmanager
def opened(settings: Settings) -> Iterator[BigQuery]:
    """The project's datasets, until the end of the block; the caller holds the lock.

    Raises:
        BadTarget: a dataset lies elsewhere than the setting says.
    """
    client = client_of(settings)
    try:
        house = BigQuery(settings, client)
        house.prepare()
        yield house
    finally:
        client.close()  # type: ignore[no-untyped-call]


def client_of(settings: Settings) -> Client:
    """A client whose jobs say whose they are, whoever starts them."""
    from google.cloud import bigquery

    return bigquery.Client(
        project=settings.bigquery_project,
        credentials=google_credentials(settings),
        location=settings.bigquery_location,
        default_query_job_config=bigquery.QueryJobConfig(labels=LABELS),
        default_load_job_config=bigquery.LoadJobConfig(labels=LABELS),
    )
