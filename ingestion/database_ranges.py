"""Ranges of days as a database's cursor column tells times.

Belongs here: how a cursor tells times, and the bounds of a range and of all time in that form. Does
not belong here: asking for the rows (`ingestion.database`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from cdp.config.sources import Source, Stream
from ingestion.cursor_bounds import tells_time
from ingestion.database_sessions import engine_arguments, in_session
from ingestion.failures import SourceFailed

Kind = Literal["moment", "day", "text"]
"""How a column tells times: as the engine's own moments or days, or in text."""

_BEGINNING, _END = datetime(1900, 1, 1), datetime(9000, 1, 1)
"""What a range without a beginning or an end begins and ends with; every engine knows both."""


def kind_of(cursor: str, stream: Stream, source: Source, url: str) -> Kind | None:
    """How the cursor tells times; None where it tells none, as a number that counts.

    SQLite has no times: whatever a column is declared as, they stand in it as text.
    """
    import sqlalchemy as sa

    engine = in_session(sa.create_engine(url, **engine_arguments(source, url)), source)
    try:
        columns = sa.inspect(engine).get_columns(
            str(stream.table), schema=source.options.get("schema")
        )
    finally:
        engine.dispose()
    types = {column["name"]: column["type"] for column in columns}
    if cursor not in types:
        raise no_column(source, stream, cursor, "cursor", types)
    in_text = engine.dialect.name == "sqlite"
    return kind_of_type(types[cursor], in_text)


def kind_of_type(type_: Any, in_text: bool) -> Kind | None:
    """How a column of a type tells times; None where it tells none.

    Args:
        in_text: the engine keeps its times as text.
    """
    import sqlalchemy as sa

    kinds: list[tuple[Kind, tuple[Any, ...]]] = [
        ("text", (sa.String, sa.types.NullType, *((sa.Date, sa.DateTime) if in_text else ()))),
        ("moment", (sa.DateTime,)),
        ("day", (sa.Date,)),
    ]
    return next((kind for kind, those in kinds if isinstance(type_, those)), None)


SAMPLE = 1_000
"""Rows of a new source that are asked whether its cursor of text tells times."""


def within(column: Any, kind: Kind | None, latest: datetime, zone: str, last: object) -> Any:
    """SQL of a cursor's value; null where it lies ahead, so that the last value stays behind it.

    Args:
        column: the column, of its own type.
        latest: naive UTC, the moment up to which rows may lie.
        last: the last value that is known.
    """
    import sqlalchemy as sa

    if kind is None:
        return column
    bound = _local(latest, zone)
    if kind != "text":
        # What the driver could not read (PostgreSQL's infinity) never comes to it.
        end = bound if kind == "moment" else bound.date()
        return sa.type_coerce(sa.case((column <= end, column), else_=sa.null()), column.type)

    def as_text(one: Any) -> Any:
        # What is text already stays as it is: Oracle and SQL Server do not compare what a cast to
        # text of any length gives. PostgreSQL does not compare an enumeration with text.
        return sa.cast(one, sa.Text) if isinstance(column.type, sa.Enum) else one

    text = as_text(column)
    ahead: Any = text.like("____-__-__%")
    # Text that tells no time lies ahead among such as does, whatever stands in the first rows.
    if tells_time(last):
        ahead = sa.true()
    elif last is None:
        # Nothing is known yet: what half or more of some rows tell is what the column is for.
        other = column.table.alias("others")
        some = sa.select(as_text(other.c[column.key]).label("told")).limit(SAMPLE).subquery()
        times = sa.or_(some.c.told.like("1___-__-__%"), some.c.told.like("2___-__-__%"))
        more = sa.func.sum(sa.case((times, 2), else_=0)) - sa.func.count()
        ahead = sa.or_(ahead, sa.select(more).select_from(some).scalar_subquery() >= 0)
    ahead = sa.and_(text >= bound.date().isoformat(), ahead)
    return sa.type_coerce(sa.case((ahead, sa.null()), else_=column), column.type)


def lag_of(cursor: str, stream: Stream, source: Source, url: str) -> float | None:
    """The declared lag in the unit in which dlt counts it for the cursor: seconds, days for a
    column of days, the cursor's own for one that counts.

    Raises:
        SourceFailed: a duration is declared for a cursor that counts, or a number for a clock, or
            any lag for a cursor of text.
    """
    if stream.lag is None:
        return None
    kind = kind_of(cursor, stream, source, url)
    told = f"source {source.name}: the column {cursor} of {stream.table}"
    if kind == "text":
        raise SourceFailed(
            f"{told} is text, from which no lag can be counted back; read its last days again by a "
            "range of days, or give the stream a cursor of the database's own times"
        )
    if kind is None and not isinstance(stream.lag, int):
        raise SourceFailed(f"{told} counts, so its lag is a number such as 1000")
    if kind is not None and isinstance(stream.lag, int):
        raise SourceFailed(f"{told} tells times, so its lag is a duration such as '10 minutes'")
    if isinstance(stream.lag, int):
        return stream.lag
    seconds = stream.lag.total_seconds()
    return math.ceil(seconds / 86_400) if kind == "day" else seconds


def no_column(
    source: Source, stream: Stream, column: str, role: str, there: Iterable[str]
) -> SourceFailed:
    """The error for a declared column that is none of those that are there."""
    return SourceFailed(
        f"source {source.name}: the table {stream.table} has no column {column}, which is "
        f"declared as its {role}; it has {', '.join(there)}"
    )


def span_of(
    since: datetime | None, until: datetime | None, kind: Kind | None, zone: str
) -> tuple[Any, Any] | None:
    """A range (naive UTC, its end excluded) as a cursor column tells times, on the clocks of the
    source's zone; None where it tells none.

    What is read too much is a duplicate, so that bounds are widened where their form leaves doubts:
    to whole days for columns of days, and by a day for text, which may name another zone.
    """
    if kind is None:
        return None
    first, last = (_local(moment, zone) for moment in (since or _BEGINNING, until or _END))
    if kind == "moment":
        return first, last
    day = timedelta(days=1)
    first_day, last_day = first.date(), (last + day - timedelta(microseconds=1)).date()
    if kind == "day":
        return first_day, last_day
    # A day is less than any moment of it in text, whatever parts the two.
    return (first_day - day).isoformat(), (last_day + day).isoformat()


def _local(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
