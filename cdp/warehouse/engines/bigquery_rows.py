"""Rows on their way to BigQuery and back.

Belongs here: loading an Arrow table as one job, reading what a job has found, and which type of
BigQuery is which of Arrow's and of DuckDB's. Does not belong here: any statement.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdp.warehouse.engines.translated_session import StatementFailed

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, SchemaField, TableReference

_OF_DUCKDB = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "BOOL": "BOOLEAN",
    "BYTES": "BLOB",
    # Compares with no moment of a model, so a declared one must not be taken for it.
    "DATETIME": "MOMENT OF NO ZONE",
    "NUMERIC": "DECIMAL(38,9)",
    # What a HUGEINT is made of here (see `translation`).
    "BIGNUMERIC": "HUGEINT",
}

_OF_ARROW = {
    "STRING": pa.string(),
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
}


def type_name(kind: str) -> str:
    """The name that DuckDB has for a type of BigQuery, as its catalogue writes it."""
    if kind.startswith("ARRAY<"):
        return type_name(kind[len("ARRAY<") : -1]) + "[]"
    plain, _, size = kind.partition("(")
    if size and plain in ("NUMERIC", "BIGNUMERIC"):
        return f"DECIMAL({size.replace(' ', '')}"
    return _OF_DUCKDB.get(plain, plain)


def fetched(job: QueryJob) -> pa.Table:
    """All rows that a query has found; moments are naive UTC."""
    # The other way of reading needs a package and a permission more.
    rows = job.to_arrow(create_bqstorage_client=False)
    naive = [pa.field(field.name, _naive(field.type)) for field in rows.schema]
    return rows.cast(pa.schema(naive))


def _naive(kind: pa.DataType) -> pa.DataType:
    """A type without zones, also within what holds others."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, _naive(each.type)) for each in kind])
    return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind


def as_declared(rows: Sequence[Sequence[Any]], fields: Sequence[SchemaField]) -> pa.Table:
    """Rows of Python's values as a table's columns have them; moments are naive UTC."""
    columns = zip(*rows, strict=True)
    made = {}
    for field, values in zip(fields, columns, strict=True):
        kind = _OF_ARROW[field.field_type]
        try:
            if pa.types.is_decimal(kind):
                values = tuple(None if each is None else Decimal(each) for each in values)
            made[field.name] = pa.array(values, kind)
        except (pa.ArrowException, ArithmeticError, ValueError) as error:
            raise StatementFailed(
                f"a value for column {field.name} is no {field.field_type}: {type(error).__name__}"
            ) from None
    return pa.table(made)


def load(
    client: Client,
    rows: pa.Table,
    table: TableReference | str,
    fields: Sequence[SchemaField] = (),
    *,
    append: bool = False,
) -> None:
    """Put rows into a table, all of them or none: more of them, or in place of what it had.

    Args:
        fields: the columns of the table, where it is there already.
    """
    import pyarrow.parquet
    from google.cloud import bigquery

    zoned = [
        pa.field(
            each.name,
            # Without a zone it might be taken to be a DATETIME.
            pa.timestamp("us", "UTC") if pa.types.is_timestamp(each.type) else each.type,
        )
        for each in rows.schema
    ]
    written = io.BytesIO()
    pyarrow.parquet.write_table(rows.cast(pa.schema(zoned)), written)
    written.seek(0)
    disposition = bigquery.WriteDisposition
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=disposition.WRITE_APPEND if append else disposition.WRITE_TRUNCATE,
        schema=list(fields)
        or [bigquery.SchemaField(each.name, _type_of(each.type)) for each in rows.schema],
    )
    client.load_table_from_file(written, table, job_config=config).result()


def _type_of(kind: pa.DataType) -> str:
    """The type of BigQuery that holds a type of Arrow; a text for whatever has none."""
    if pa.types.is_integer(kind):
        return "INT64"
    if pa.types.is_boolean(kind):
        return "BOOL"
    if pa.types.is_floating(kind):
        return "FLOAT64"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "BYTES"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_decimal(kind):
        return "NUMERIC" if kind.scale <= 9 and kind.precision - kind.scale <= 29 else "BIGNUMERIC"
    return "TIMESTAMP" if pa.types.is_timestamp(kind) else "STRING"
