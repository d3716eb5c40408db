"""Odd values cost nobody anything once they have landed: ids that are none, times of no clock.

Belongs here: what staging makes of one value, whatever format or mapping it comes by. Does not
belong here: which rows land (`tests/ingestion`), or what staging holds of versions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import jinja2
import pytest
import yaml

from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.store import open_warehouse
from ingestion import values
from tests.models.deployment import Deployment

pytestmark = pytest.mark.integration

ABOUT = {
    "description": "A source of a test.",
    "kind": "files",
    "owner": "tests@example.org",
    "purpose": "contract",
    "fresh_within": "1 day",
}

NO_IDS: dict[str, Any] = {
    "an empty object": {},
    "an empty list": [],
    "an object": {"id": 7},
    "a list": ["u-1"],
    "a boolean": True,
    "a blank": " ",
    "nothing": None,
}
IDS: dict[str, Any] = {
    "a text": "u-1",
    "a number": 17,
    "a text in braces": "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
    "a text in brackets": "[u-1]",
    "a text that says true": "true",
}
CASES = NO_IDS | IDS


def event(case: str) -> dict[str, Any]:
    """A message that has an id of each kind: the case's, but for the device, which is its own."""
    value = CASES[case]
    return {
        "type": "track",
        "event": case,
        "messageId": f"m {case}",
        "anonymousId": f"device of {case}",
        "userId": value,
        "previousId": value,
        "groupId": value,
        "traits": {"email": value, "phone": value},
        "properties": {"order_id": value, "product_id": value},
        "timestamp": "2026-06-01T12:00:00Z",
    }


def order(case: str) -> dict[str, Any]:
    """A row whose customer is the case's, as a column and as what an expression makes of it."""
    return {"no": case, "who": CASES[case], "at": "2026-06-01 12:00:00"}


def stream(files: str, form: str, *maps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"files": files, "format": form, **({"maps": list(maps)} if maps else {}), **more}


def source(name: str, zone: str = "UTC", **streams: Any) -> dict[str, Any]:
    options = {"location": f"{{home}}/landing/{name}", "settle": "0 seconds", "timezone": zone}
    return {**ABOUT, "options": options, "streams": streams}


ORDER = {
    "entity": "orders",
    "columns": {
        "order_id": "no",
        "customer_id": "who",
        "anonymous_id": {"sql": "coalesce(who, '')"},
        "ordered_at": "at",
    },
}
PARCEL = {
    "entity": "orders",
    "where": "strptime(day, '%d.%m.%Y') >= strptime('01.01.2026', '%d.%m.%Y') OR day IS NULL",
    "columns": {
        "order_id": "no",
        "customer_id": {"sql": "strftime(strptime(code, '%Y'), '%Y')"},
        "status": {"sql": "CASE WHEN strptime(code, '%Y') IS NULL THEN 'a' ELSE 'b' END"},
        "ordered_at": {"sql": "strptime(code, '%Y')"},
        "updated_at": "at",
        "total_amount": {"value": 12.5},
        "currency": {"value": "EUR"},
        "deleted_at": {"value": "2026-06-01 12:00:00"},
    },
}
EARLIER: dict[str, dict[str, str]] = {
    "a good one": {"day": "02.01.2026", "code": "2026", "at": "2026-06-01 12:00:00"},
    "an expression that fails": {"code": "x", "at": "2026-06-01 12:00:00"},
    "a condition that fails": {"day": "x", "code": "2026", "at": "2026-06-01 12:00:00"},
    "the first of all times": {"code": "2026", "at": "290309-12-22 (BC) 00:00:00"},
    "the last of all times": {"code": "2026", "at": "294247-01-10 04:00:54"},
    "an infinity": {"code": "2026", "at": "infinity"},
}
"""Rows of a landing that looked at less, by their number; what is left out stands in no column."""

SOURCES = {
    "parcels": source(
        "parcels", "America/New_York", orders=stream("*.ndjson", "ndjson", PARCEL, key=["no"])
    ),
    "web": source("web", events=stream("*.ndjson", "segment")),
    "till": source("till", orders=stream("orders.ndjson", "ndjson", ORDER, key=["no"])),
}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    home = tmp_path_factory.mktemp("odd-values")
    files = {
        "web/events.ndjson": [event(case) for case in CASES],
        "till/orders.ndjson": [order(case) for case in CASES],
    }
    for name, rows in files.items():
        path = home / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = home / "config"
    config.mkdir()
    (config / "sources.yml").write_text(yaml.safe_dump({"sources": SOURCES}), encoding="utf-8")
    made = Deployment(home, config)
    made.run(datetime(2026, 6, 30), stages=[], publish=False)
    with open_warehouse(made.settings()) as warehouse:
        for number, (case, told) in enumerate(EARLIER.items(), 1_000):
            warehouse.execute(
                "INSERT INTO raw.parcels BY NAME SELECT 'orders' AS stream, 'k:' || ? AS row_key, "
                "? AS position, ? AS payload, 'hash' AS payload_hash, false AS is_deleted, "
                "'load' AS load_id, TIMESTAMP '2026-06-01' AS landed_at, ? AS landing_number",
                [case, str(number), json.dumps({"no": case, **told}), number],
            )
    made.run(datetime(2026, 6, 30), stages=["staging"])
    return made


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_id_is_nobodys(staged: Deployment, case: str) -> None:
    """Else everybody whose sender writes `{}` for no user would be one person."""
    ids = "user_id, previous_id, group_id, email, phone, order_id, product_id"
    sql = f"SELECT anonymous_id, {ids} FROM staging.stg_web__events WHERE event_name = '{case}'"
    [(device, *found)] = staged.rows(sql)
    assert device == f"device of {case}"
    assert set(found) == {str(IDS[case]) if case in IDS else None}


@pytest.mark.parametrize("case", CASES)
def test_a_mapped_id_is_one_too(staged: Deployment, case: str) -> None:
    sql = (
        f"SELECT customer_id, anonymous_id FROM staging.stg_till__orders WHERE order_id = '{case}'"
    )
    [(mapped, computed)] = staged.rows(sql)
    assert mapped == (str(IDS[case]) if case in IDS else None)
    if case not in ("a text in brackets", "a text that says true"):
        assert computed == mapped


def test_rows_that_landed_stop_no_run(staged: Deployment) -> None:
    """Landing looks at more today than it did when some rows landed, which are never rewritten."""
    found = staged.rows(
        "SELECT order_id, customer_id, status, ordered_at, updated_at "
        "FROM staging.stg_parcels__orders ORDER BY landing_number"
    )
    year, noon = datetime(2026, 1, 1, 5), datetime(2026, 6, 1, 16)
    assert found == [
        ("a good one", "2026", "b", year, noon),
        ("an expression that fails", None, None, None, noon),
        ("the first of all times", "2026", "b", year, None),
        ("the last of all times", "2026", "b", year, None),
        ("an infinity", "2026", "b", year, None),
    ]


# --- what lands is what staging can read ---------------------------------------------------------

TIMES = {
    "2026-06-01 12:00:00": {"UTC": 12, "Europe/Berlin": 10, "America/New_York": 16},
    "2026-06-01T12:00": {"UTC": 12, "Europe/Berlin": 10, "America/New_York": 16},
    "2026-06-01T12:00:00Z": 12,
    "2026-06-01 12:00:00 UTC": 12,
    "2026-06-01 12:00:00 GMT": 12,
    "2026-06-01T12:00:00+02:00": 10,
    "2026-06-01 12:00:00-0330": datetime(2026, 6, 1, 15, 30),
    "2026-06-01 12:00:00.25+02": datetime(2026, 6, 1, 10, 0, 0, 250_000),
    "2026-06-01 12:00:00 EST": 17,
    "2026-06-01 12:00:00 CET": 10,
    "2026-06-01 12:00:00 EST5EDT": 16,
    "2026-06-01 12:00:00 Europe/Berlin": 10,
    "2026-06-01 12:00:00 Etc/GMT+5": 17,
    "infinity": None,
    "-Infinity": None,
    "yesterday": None,
    "25:00": None,
    "": None,
}
"""Texts of times, and the hour of the first of June or the moment that each is; none is no time."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
EXTREME = ("290309-12-22 (BC) 00:00:00", "294247-01-10 04:00:54", "0001-01-01", "99999-12-31")
TWICE = ("2026-10-25 02:30:00", "2026-11-01 01:30:00", "2026-03-29 02:30:00")


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    return connection


@pytest.fixture(scope="module")
def macro() -> Callable[..., str]:
    """The SQL of a macro of the engine as dbt has it, without a project around it."""
    folder = PROJECT_ROOT / "dbt_project/macros/engine"
    files = sorted((folder / "duckdb").glob("*.sql")) + sorted(folder.glob("*.sql"))
    files = [path for path in files if path.stem != "materializations"]
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 - it is SQL

    class Adapter:
        @staticmethod
        def dispatch(name: str, _: str) -> Any:
            return getattr(module, f"duckdb__{name}")

    environment.globals |= {"adapter": Adapter, "return": lambda told: told}
    module = environment.from_string("".join(path.read_text() for path in files)).module
    return lambda name, *given: str(getattr(module, name)(*given))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", [*TIMES, *EXTREME, *TWICE])
def test_landing_reads_times_as_staging_does(
    engine: duckdb.DuckDBPyConnection, macro: Callable[..., str], text: str, zone: str
) -> None:
    sql = (
        f"SELECT CAST({macro('as_utc', 'told', zone)} AS VARCHAR), "
        f"CAST({values.utc('told', zone)} AS VARCHAR) FROM (SELECT CAST(? AS VARCHAR) AS told)"
    )
    [(staged, landed)] = engine.execute(sql, [text]).fetchall()
    assert staged == landed
    if text in TIMES:
        wanted: Any = TIMES[text]
        wanted = wanted[zone] if isinstance(wanted, dict) else wanted
        wanted = datetime(2026, 6, 1, wanted) if isinstance(wanted, int) else wanted
        assert (datetime.fromisoformat(staged) if staged else None) == wanted


def test_of_an_hour_that_comes_twice_the_first_is_read(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    sql = f"SELECT {values.utc(values.literal(TWICE[0]), 'Europe/Berlin')}"
    assert engine.execute(sql).fetchall() == [(datetime(2026, 10, 25, 0, 30),)]


@pytest.mark.parametrize("case", CASES)
def test_landing_takes_for_an_id_what_staging_does(
    engine: duckdb.DuckDBPyConnection, macro: Callable[..., str], case: str
) -> None:
    staged = macro("json_id", "text", "fields", ["$.a"], 0), macro("text_id", "fields[1]")
    landed = values.json_id("fields[1]", "$.a"), values.text_id("fields[1]")
    given = "SELECT json_extract_string(text, ['$.a']) AS fields, text FROM (SELECT ? AS text)"
    for theirs, ours in zip(staged, landed, strict=True):
        sql = f"SELECT {theirs}, {ours} FROM ({given})"
        [(staged_id, landed_id)] = engine.execute(sql, [json.dumps({"a": CASES[case]})]).fetchall()
        assert staged_id == landed_id


def test_a_constant_is_of_its_columns_type(staged: Deployment) -> None:
    """A moment without a zone is one on the clocks of the source, as it is in a row."""
    table = "staging.stg_parcels__orders"
    assert staged.rows(f"SELECT DISTINCT total_amount, currency, deleted_at FROM {table}") == [
        (Decimal("12.5000"), "EUR", datetime(2026, 6, 1, 16))
    ]
