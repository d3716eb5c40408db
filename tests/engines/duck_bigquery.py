"""A stand-in for BigQuery: statements of its dialect, run by DuckDB in memory.

Belongs here: the calls of Google's client that the project makes, and what a statement of BigQuery
is in DuckDB. Does not belong here: any expectation.

It is to BigQuery what fakesnow is to Snowflake.

Each statement is looked through for what BigQuery lacks before it runs, and what it would refuse of
names (a table without a dataset) is refused here. What stays unproved: its types beside DuckDB's,
what it can decorrelate, permissions (they are kept, and nobody is kept out), quotas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sqlglot
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.dataset import DatasetListItem
from google.cloud.bigquery.table import TableListItem
from sqlglot import exp

from cdp.warehouse.engines.translation import literal
from tests.engines.bigquery_functions import lacking

PROJECT = "acme-cdp"
BUILDER = "builder@acme-cdp.iam.gserviceaccount.com"
"""Who it takes its caller to be."""

_refused: Any = BadRequest
_missing: Any = NotFound
_there: Any = Conflict
_listed_dataset: Any = DatasetListItem
_listed_table: Any = TableListItem

_OTHER = {
    exp.DataType.Type.DECIMAL: "DECIMAL(38, 9)",
    exp.DataType.Type.BIGDECIMAL: "DECIMAL(38, 5)",
}
"""Types without a size, of the size that they have there or, where DuckDB has none, its largest."""

_NAMES = {
    "VARCHAR": "STRING",
    "BIGINT": "INT64",
    "HUGEINT": "INT64",
    "INTEGER": "INT64",
    "DOUBLE": "FLOAT64",
    "BOOLEAN": "BOOL",
    "BLOB": "BYTES",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIMESTAMP": "DATETIME",
    "DATE": "DATE",
    "DECIMAL(38,9)": "NUMERIC",
    "DECIMAL(38,5)": "BIGNUMERIC",
}


_OLDER = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
"""What the client calls some types."""


class DuckBigQuery:
    """One project: datasets, tables, what was said to it, and who was granted what."""

    def __init__(self) -> None:
        self.duck = duckdb.connect(":memory:")
        self.duck.execute("SET TimeZone = 'UTC'")
        # Nulls come first there, unless a statement says otherwise; sqlglot says so each time.
        self.said: list[str] = []
        self.datasets: dict[str, bigquery.Dataset] = {}
        self.tags: dict[tuple[str, str], dict[str, list[str]]] = {}
        self.asked_for: dict[str, Any] = {}
        self.views: dict[tuple[str, str], str] = {}
        self.comments: dict[tuple[str, str], dict[str, str]] = {}

    def client(self, project: str = PROJECT, location: str = "EU", **how: Any) -> Client:
        """What `google.cloud.bigquery.Client` would be."""
        self.asked_for = how
        return Client(self, project, location)

    @contextmanager
    def instead_of_google(self) -> Iterator[None]:
        """Let whoever asks for Google's client be given this for a while."""
        import dlt.destinations.impl.bigquery.bigquery as of_dlt

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(bigquery, "Client", self.client)
            # It waits for each job before it asks for the first time.
            patched.setattr(of_dlt, "sleep", lambda _: None)
            yield

    # --- what a dataset has ------------------------------------------------------------------

    def tables(self, dataset: str) -> dict[str, str]:
        """Tables and views of a dataset: TABLE or VIEW."""
        return dict(
            self.duck.execute(
                "SELECT table_name, table_type FROM information_schema.tables "
                "WHERE table_schema = ?",
                [dataset],
            ).fetchall()
        )

    def columns(self, dataset: str, table: str) -> list[tuple[str, str]]:
        """Columns of a table with their types by BigQuery's names."""
        return [
            (name, named(kind))
            for name, kind in self.duck.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
                [dataset, table],
            ).fetchall()
        ]

    # --- statements --------------------------------------------------------------------------

    def run(self, sql: str, standing_in: str | None, given: Sequence[Any] = ()) -> pa.Table:
        """What the last statement of a text answers.

        Raises:
            BadRequest: it asks for what BigQuery lacks, or DuckDB cannot run it.
        """
        self.said.append(sql)
        if lacks := lacking(sql):
            raise _refused(f"BigQuery has no {sorted(lacks)}")
        if granted := re.fullmatch(
            r'(GRANT|REVOKE) `(.+)` ON SCHEMA (\S+) (?:TO|FROM) "(.+)"', sql
        ):
            self._grant(granted[1] == "GRANT", granted[3].split(".")[-1].strip("`"), granted[4])
            return pa.table({})
        found = pa.table({})
        try:
            for tree in sqlglot.parse(_decoded(sql), dialect="bigquery"):
                assert tree is not None
                if isinstance(tree, exp.Declare):
                    # dlt declares a variable for tables that it would empty, of which it has none.
                    continue
                self._known(tree)
                for each in self._as_duckdb(_bound(tree, given), standing_in):
                    answer = self.duck.execute(each)
                found = _of_bigquery(_named_fields(answer.to_arrow_table()))
            return found
        except duckdb.Error as error:
            missing = "does not exist" in str(error) and isinstance(error, duckdb.CatalogException)
            reason = "notFound" if missing else "invalidQuery"
            raise (_missing if missing else _refused)(
                str(error), errors=[{"reason": reason, "message": str(error)}]
            ) from error

    def _grant(self, given: bool, dataset: str, member: str) -> None:
        """What is granted on a dataset stands in its access list, and in its older words."""
        kind, _, name = member.partition(":")
        entity = (
            "groupByEmail" if kind == "group" else "domain" if kind == "domain" else "userByEmail"
        )
        entry = bigquery.AccessEntry("READER", entity, name)
        there = self.datasets[dataset]
        others = [each for each in there.access_entries if each.entity_id != name]
        there.access_entries = [*others, entry] if given else others

    def members(self, dataset: str) -> set[str]:
        """Who may read a dataset."""
        entries = self.datasets[dataset].access_entries
        return {str(each.entity_id) for each in entries if each.role == "READER"}

    def let_in(self, dataset: str) -> set[str]:
        """The datasets whose views may read a dataset."""
        return {
            entry.entity_id["dataset"]["datasetId"]
            for entry in self.datasets[dataset].access_entries
            if entry.entity_type == "dataset"
        }

    def _known(self, tree: exp.Expr) -> None:
        """Keep what DuckDB does not: labels and descriptions."""
        if isinstance(tree, exp.Create) and tree.args["kind"] == "VIEW":
            table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            name = (table.db, table.name)
            self.views[name] = tree.expression.sql(dialect="bigquery")
            self.comments[name] = {
                column.name: option.args["value"].name
                for column in tree.find_all(exp.ColumnDef)
                for option in column.find_all(exp.Property)
            }
        if isinstance(tree, exp.Create | exp.Drop) and tree.args["kind"] == "SCHEMA":
            name = tree.this.db or tree.this.name
            if isinstance(tree, exp.Drop):
                self.datasets.pop(name, None)
            elif name not in self.datasets:
                made = bigquery.Dataset(f"{PROJECT}.{name}")
                made.location = "EU"
                options = {
                    each.name: each.args["value"]
                    for each in tree.find_all(exp.Property)
                    if each.args.get("value") is not None
                }
                if "description" in options:
                    made.description = options["description"].name
                if "labels" in options:
                    made.labels = {
                        pair.expressions[0].name: pair.expressions[1].name
                        for pair in options["labels"].expressions
                    }
                self.datasets[name] = made

    def _as_duckdb(self, tree: exp.Expr, standing_in: str | None) -> Iterator[str]:
        for options in list(tree.find_all(exp.Properties)):
            # Descriptions, partitions and clusters are nothing to DuckDB.
            (options.parent if isinstance(options.parent, exp.ColumnConstraint) else options).pop()
        named_here = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            table.set("catalog", None)
            if table.name.startswith("INFORMATION_SCHEMA."):
                table.replace(_catalogue(table))
            elif not table.db and table.name not in named_here and not _of_rows(table):
                if standing_in is None:
                    raise _refused(f'Table "{table.name}" must be qualified with a dataset')
                table.set("db", exp.to_identifier(standing_in))
        if any(each.args.get("offset") for each in tree.find_all(exp.Unnest)):
            # There it counts from nought, in DuckDB from one.
            raise NotImplementedError("WITH OFFSET is not translated")
        for taken in list(tree.find_all(exp.JSONExtract, exp.JSONExtractScalar))[::-1]:
            # An arrow binds looser than a comparison; and what is taken out of a text is one.
            text = exp.cast(exp.Paren(this=taken.copy()), "text")
            # And of a text, a null of JSON is null.
            taken.replace(exp.Nullif(this=text, expression=exp.Literal.string("null")))
        for divided in list(tree.find_all(exp.IntDiv)):
            # The arguments of a call there, the sides of an operator here.
            for side in ("this", "expression"):
                divided.set(side, exp.Paren(this=divided.args[side].copy()))
        for unnested in list(tree.find_all(exp.Unnest))[::-1]:
            if rows := _rows_of(unnested):
                unnested.replace(rows)
        for user in list(tree.find_all(exp.SessionUser)):
            user.replace(exp.Literal.string(BUILDER))
        for found in list(tree.find_all(exp.RegexpExtract))[::-1]:
            # Nothing where nothing is found, and not an empty text.
            matched = exp.RegexpLike(this=found.this.copy(), expression=found.expression.copy())
            found.replace(exp.case().when(matched, found.copy()))
        for kind in list(tree.find_all(exp.DataType)):
            if kind.this in _OTHER and not kind.expressions:
                kind.replace(exp.DataType.build(_OTHER[kind.this], dialect="duckdb"))
        if isinstance(tree, exp.Create) and (clone := tree.args.get("clone")):
            tree = exp.Create(
                this=tree.this,
                kind="TABLE",
                replace=tree.args.get("replace"),
                expression=exp.select("*").from_(clone.this),
            )
        if isinstance(tree, exp.TruncateTable):
            (table,) = tree.expressions
            yield f"DELETE FROM {table.sql(dialect='duckdb')}"
            return
        yield tree.sql(dialect="duckdb")


_BY_NUMBER = re.compile(
    r"(?<!\\)((?:\\\\)*)\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))"
)
"""A character that a text tells by its number: hexadecimal, or octal."""


def _decoded(sql: str) -> str:
    """The statement with such characters themselves, which sqlglot takes for letters."""

    def character(found: re.Match[str]) -> str:
        octal = found[5]
        number = int(octal, 8) if octal else int(found[2] or found[3] or found[4], 16)
        return found[1] + chr(number)

    parts, last = [], 0
    for token in sqlglot.tokenize(sql, read="bigquery"):
        if token.token_type is sqlglot.TokenType.STRING:
            parts += [
                sql[last : token.start],
                _BY_NUMBER.sub(character, sql[token.start : token.end + 1]),
            ]
            last = token.end + 1
    return "".join(parts) + sql[last:]


def _rows_of(unnested: exp.Unnest) -> exp.Expr | None:
    """A list of structs that is written out, whose fields are columns there."""
    (listed, *others) = unnested.expressions
    if others or not isinstance(listed, exp.Array):
        return None
    if not listed.expressions or not all(isinstance(e, exp.Struct) for e in listed.expressions):
        return None
    selects = [
        exp.select(
            *(
                exp.alias_(field.expression.copy(), field.name)
                if isinstance(field, exp.PropertyEQ)
                else field.copy()
                for field in each.expressions
            )
        )
        for each in listed.expressions
    ]
    query: exp.Query = selects[0]
    for each in selects[1:]:
        query = exp.union(query, each, distinct=False)
    alias = unnested.alias or "listed"
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias)))


def _bound(tree: exp.Expr, given: Sequence[Any]) -> exp.Expr:
    """The tree with values in place of `?` and `@name`; these come in the order of the text."""
    named = {each.name: each.value for each in given if each.name}
    places = iter([each.value for each in given if not each.name])
    for node in list(tree.find_all(exp.Parameter)):
        node.replace(literal(named[node.name]))
    for mark in [each for each in tree.dfs() if isinstance(each, exp.Placeholder)]:
        mark.replace(literal(next(places)))
    return tree


def _of_rows(table: exp.Table) -> bool:
    return not isinstance(table.this, exp.Identifier)


def _catalogue(table: exp.Table) -> exp.Expr:
    """What a dataset says of itself."""
    what = table.name.partition(".")[2]
    kinds = " ".join(f"WHEN '{kind}' THEN '{name}'" for kind, name in _NAMES.items())
    columns = {
        "COLUMNS": "column_name, ordinal_position, is_nullable, "
        f"CASE data_type {kinds} ELSE data_type END AS data_type",
        "TABLES": "CASE table_type WHEN 'VIEW' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type",
        "VIEWS": "view_definition",
    }[what]
    query = (
        f"SELECT table_schema, table_name, {columns} FROM information_schema.{what.lower()} "
        f"WHERE table_schema = '{table.db}'"
    )
    if what == "VIEWS":
        query = (
            "SELECT schema_name AS table_schema, view_name AS table_name, sql AS view_definition "
            f"FROM duckdb_views() WHERE schema_name = '{table.db}'"
        )
    tree = sqlglot.parse_one(query, dialect="duckdb")
    return exp.Subquery(
        this=tree, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
    )


def named(kind: str) -> str:
    """The name of a type of DuckDB in BigQuery's catalogue."""
    if kind.endswith("[]"):
        return f"ARRAY<{named(kind[:-2])}>"
    if kind.startswith("DECIMAL") and kind not in _NAMES:
        return kind.replace("DECIMAL", "NUMERIC")
    return _NAMES[kind]


def _of_bigquery(rows: pa.Table) -> pa.Table:
    """Whole numbers of 64 bits, which the sum of such is there too."""
    return rows.cast(
        pa.schema([pa.field(each.name, _bigquery_kind(each.type)) for each in rows.schema])
    )


def _bigquery_kind(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return pa.int64()
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind


def _named_fields(rows: pa.Table) -> pa.Table:
    """What has no name in a struct has its place for one."""
    for index, field in enumerate(rows.schema):
        if not pa.types.is_struct(field.type):
            continue
        column = rows.column(index).combine_chunks()
        names = [each.name or f"_field_{place}" for place, each in enumerate(field.type, 1)]
        parts = [pc.struct_field(column, [place]) for place in range(len(names))]
        rows = rows.set_column(index, field.name, pa.StructArray.from_arrays(parts, names))
    return rows


class Client:
    """The calls that the project makes."""

    def __init__(self, cloud: DuckBigQuery, project: str, location: str) -> None:
        self.cloud, self.project, self.location = cloud, project, location

    def query(self, sql: str, job_config: Any = None, **_: Any) -> Job:
        standing_in: str | None = None
        given: tuple[Any, ...] = ()
        if job_config is not None:
            given = tuple(job_config.query_parameters)
            if job_config.default_dataset is not None:
                standing_in = job_config.default_dataset.dataset_id
        try:
            return Job(self.cloud.run(sql, standing_in, given))
        except (BadRequest, NotFound) as error:
            return Job(error)

    def query_and_wait(self, sql: str, job_config: Any = None, **_: Any) -> Rows:
        # By a keyword: dlt puts another function in the place of the one above.
        return Rows(self.query(sql, job_config=job_config).result())

    def load_table_from_file(self, file: Any, destination: Any, job_config: Any, **_: Any) -> Job:
        table = _table(destination)
        fields = job_config.schema or self.get_table(table).schema
        rows = _of_duckdb(pq.read_table(file))
        columns = ", ".join(
            f'CAST("{field.name}" AS {_duck_type(field.field_type)}) AS "{field.name}"'
            for field in fields
            if field.name in rows.column_names
        )
        path = f'"{table.dataset_id}"."{table.table_id}"'
        with self.cloud.duck.cursor() as cursor:
            cursor.register("arriving", rows)
            if job_config.write_disposition == "WRITE_APPEND":
                cursor.execute(f"INSERT INTO {path} BY NAME SELECT {columns} FROM arriving")
            else:
                cursor.execute(f"CREATE OR REPLACE TABLE {path} AS SELECT {columns} FROM arriving")
        return Job(pa.table({}), rows.num_rows)

    def create_dataset(self, dataset: Any, exists_ok: bool = False, **_: Any) -> Any:
        if dataset.dataset_id in self.cloud.datasets:
            if not exists_ok:
                raise _there(f"Already Exists: Dataset {dataset.dataset_id}")
            return self.cloud.datasets[dataset.dataset_id]
        self.cloud.duck.execute(f'CREATE SCHEMA "{dataset.dataset_id}"')
        self.cloud.datasets[dataset.dataset_id] = dataset
        return dataset

    def get_dataset(self, dataset: Any, **_: Any) -> Any:
        name = str(getattr(dataset, "dataset_id", dataset)).rpartition(".")[2]
        if name not in self.cloud.datasets:
            raise _missing(f"Not found: Dataset {name}")
        return self.cloud.datasets[name]

    def update_dataset(self, dataset: Any, fields: list[str]) -> Any:
        assert fields == ["access_entries"]
        self.cloud.datasets[dataset.dataset_id] = dataset
        return dataset

    def list_datasets(self, filter: str = "", **_: Any) -> Iterator[DatasetListItem]:
        label, colon, value = filter.removeprefix("labels.").partition(":")
        for name, dataset in list(self.cloud.datasets.items()):
            if label and label not in dataset.labels:
                continue
            if colon and dataset.labels[label] != value:
                continue
            yield _listed_dataset(
                {
                    "datasetReference": {"projectId": self.project, "datasetId": name},
                    "labels": dict(dataset.labels),
                }
            )

    def delete_dataset(
        self, dataset: Any, delete_contents: bool = False, not_found_ok: bool = False
    ) -> None:
        name = str(getattr(dataset, "dataset_id", dataset)).rpartition(".")[2]
        if name not in self.cloud.datasets and not not_found_ok:
            raise _missing(f"Not found: Dataset {name}")
        self.cloud.datasets.pop(name, None)
        cascade = " CASCADE" if delete_contents else ""
        self.cloud.duck.execute(f'DROP SCHEMA IF EXISTS "{name}"{cascade}')

    def list_tables(self, dataset: Any) -> Iterator[TableListItem]:
        name = str(getattr(dataset, "dataset_id", dataset)).rpartition(".")[2]
        for table, kind in self.cloud.tables(name).items():
            yield _listed_table(
                {
                    "tableReference": {
                        "projectId": self.project,
                        "datasetId": name,
                        "tableId": table,
                    },
                    "type": "VIEW" if kind == "VIEW" else "TABLE",
                }
            )

    def get_table(self, table: Any) -> Any:
        reference = _table(table)
        columns = self.cloud.columns(reference.dataset_id, reference.table_id)
        if not columns:
            raise _missing(f"Not found: Table {reference}")
        place = (reference.dataset_id, reference.table_id)
        tags, comments = self.cloud.tags.get(place, {}), self.cloud.comments.get(place, {})
        made = bigquery.Table(
            reference,
            schema=[
                bigquery.SchemaField(
                    name,
                    _OLDER.get(kind, kind),
                    description=comments.get(name, ""),
                    policy_tags=bigquery.PolicyTagList(tags[name]) if name in tags else None,
                )
                for name, kind in columns
            ],
        )
        if place in self.cloud.views:
            made.view_query = self.cloud.views[place]
        return made

    def update_table(self, table: Any, fields: list[str]) -> Any:
        assert fields == ["schema"]
        self.cloud.tags[table.dataset_id, table.table_id] = {
            field.name: list(field.policy_tags.names)
            for field in table.schema
            if field.policy_tags is not None
        }
        return table

    def _ensure_bqstorage_client(self, *_: Any) -> None:
        """There is no other way of reading."""

    def close(self) -> None:
        """The project stays."""


class Rows:
    """What Google's own cursor reads from."""

    job_id = None
    num_dml_affected_rows = None

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        self.total_rows = rows.num_rows
        self.schema = [bigquery.SchemaField(each.name, "STRING") for each in rows.schema]

    def _should_use_bqstorage(self, *_: Any, **__: Any) -> bool:
        return False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter([tuple(row.values()) for row in self._rows.to_pylist()])


class Job:
    """A job that has ended; what went wrong is told to whoever asks for the result."""

    job_id = "job"
    error_result = errors = started = ended = None

    def __init__(self, outcome: pa.Table | Exception, output_rows: int = 0) -> None:
        self._outcome, self.output_rows = outcome, output_rows

    def done(self, **_: Any) -> bool:
        return True

    def result(self) -> pa.Table:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def to_arrow(self, *, create_bqstorage_client: bool) -> pa.Table:
        assert not create_bqstorage_client
        return self.result()


def _of_duckdb(rows: pa.Table) -> pa.Table:
    """Decimals of 256 bits, which DuckDB has not, as its widest."""
    kinds = [
        pa.decimal128(38, 5) if pa.types.is_decimal256(each.type) else each.type
        for each in rows.schema
    ]
    names = rows.column_names
    return rows.cast(pa.schema(list(zip(names, kinds, strict=True))))


def _table(name: Any) -> bigquery.TableReference:
    if isinstance(name, str):
        return bigquery.TableReference.from_string(name, default_project=PROJECT)
    return name if isinstance(name, bigquery.TableReference) else name.reference


def _duck_type(kind: str) -> str:
    return {
        "STRING": "VARCHAR",
        "INTEGER": "BIGINT",
        "INT64": "BIGINT",
        "FLOAT64": "DOUBLE",
        "FLOAT": "DOUBLE",
        "BOOL": "BOOLEAN",
        "BOOLEAN": "BOOLEAN",
        "BYTES": "BLOB",
        "TIMESTAMP": "TIMESTAMPTZ",
        "DATE": "DATE",
        "NUMERIC": "DECIMAL(38, 9)",
        "BIGNUMERIC": "DECIMAL(38, 5)",
    }[kind]
