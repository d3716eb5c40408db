"""Every entity of the contract arrives typed, and the same, from each format of files.

One home, one landing and one build of staging serve all of them: two rows for each entity in each
format, under column names that are not the contract's.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES, Column
from tests.models.deployment import Deployment

FORMATS = ("csv", "json", "ndjson", "parquet")
NUMBERED = "customer_id", "user_id", "product_id", "subject_id", "phone"
"""Texts that sources write as numbers; of 19 digits, which a float would round."""

ONE_OF = {
    "event_type": ("track", "page"),
    "currency": ("EUR", "USD"),
}
OTHERS: dict[str, tuple[Any, Any]] = {
    # Berlin's clocks, which the file does not name: an hour ahead in winter, two in summer.
    "timestamp": (datetime(2026, 1, 15, 10, 0, 0, 250_000), datetime(2026, 6, 15, 10)),
    "date": (date(1990, 2, 28), date(2000, 2, 29)),
    # Of a bare number in JSON, 15 digits are what every reader keeps.
    "money": (Decimal("12345678901.2345"), Decimal("-0.0100")),
    "quantity": (Decimal("0.1235"), Decimal("3.0000")),
    "integer": (9_007_199_254_740_993_001, -1),
    "boolean": (True, False),
    "json": ('{"a": [1, "x"]}', "[]"),
    "code": (" E_Mail ", "user_id"),
}
ARRIVES_AS = {
    " E_Mail ": "e_mail",
    OTHERS["timestamp"][0]: datetime(2026, 1, 15, 9, 0, 0, 250_000),
    OTHERS["timestamp"][1]: datetime(2026, 6, 15, 8),
}


def values(entity: str, name: str, column: Column) -> tuple[Any, Any]:
    """What the two rows hold in a column."""
    if column.type not in ("text", "identifier"):
        return OTHERS[column.type]
    if name in ENTITIES[entity].key[:1] or name in ("message_id", "postal_code"):
        return "007", "00070"
    if name in NUMBERED:
        return 9_007_199_254_740_993_001, 9_007_199_254_740_993_002
    return ONE_OF.get(name, (f'Ünïted, "{name}"; one', f"{name} 2"))


def rows_of(entity: str) -> list[dict[str, Any]]:
    columns = ENTITIES[entity].columns.items()
    both = {f"{name.upper()} of us": values(entity, name, column) for name, column in columns}
    return [{name: pair[index] for name, pair in both.items()} for index in (0, 1)]


def written(value: Any) -> str:
    """A value as the text of a file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(row: dict[str, Any], entity: str) -> str:
    """A JSON object whose numbers keep their digits, with objects where the contract has JSON."""
    members = []
    for name, value in row.items():
        is_json = ENTITIES[entity].columns[name.split()[0].lower()].type == "json"
        bare = is_json or isinstance(value, int | Decimal)
        members.append(
            f"{json.dumps(name)}: {written(value) if bare else json.dumps(written(value))}"
        )
    return "{" + ", ".join(members) + "}"


def lay(folder: Path, entity: str, form: str) -> None:
    rows, path = rows_of(entity), folder / f"{entity}.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "csv":
        cells = [list(rows[0]), *([written(value) for value in row.values()] for row in rows)]
        lines = (",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in cells)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        objects = [as_json(row, entity) for row in rows]
        text = f"[{', '.join(objects)}]" if form == "json" else "\n".join(objects) + "\n"
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Four sources, one a format, each of all entities; landed and staged."""
    home = tmp_path_factory.mktemp("entities")
    sources = {}
    for form in FORMATS:
        folder = home / "landing" / form
        folder.mkdir(parents=True)
        streams = {}
        for entity, contract in ENTITIES.items():
            lay(folder, entity, form)
            columns = {name: f"{name.upper()} of us" for name in contract.columns}
            streams[entity] = {
                "files": f"{entity}.{form}",
                "format": form,
                "key": [columns[name] for name in contract.key or ("message_id",)],
                "maps": [{"entity": entity, "columns": columns}],
            }
        sources[form] = {
            "description": "A source of every entity.",
            "kind": "files",
            "owner": "tests@example.org",
            "purpose": "analytics",
            "fresh_within": "1 day",
            "options": {
                "location": f"{{home}}/landing/{form}",
                "settle": "0 seconds",
                "timezone": "Europe/Berlin",
            },
            "streams": streams,
        }
    config = home / "config"
    config.mkdir()
    (config / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    made = Deployment(home, config)
    reports = made.run(datetime(2026, 6, 30), stages=["staging"])
    for report in reports.values():
        assert (report.rows_read, report.rows_landed) == (2 * len(ENTITIES), 2 * len(ENTITIES))
    return made


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_arrives_typed_from_a_format(staged: Deployment, entity: str, form: str) -> None:
    columns = ENTITIES[entity].columns
    types = ", ".join(f"typeof({name})" for name in columns)
    table = f"staging.stg_{form}__{entity}"
    rows = staged.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY landing_number")
    told, *_ = staged.rows(f"SELECT {types} FROM {table}")
    wanted = [WAREHOUSE_TYPES[column.type].upper() for column in columns.values()]
    assert [kind.replace(" ", "") for kind in told] == wanted
    assert len(rows) == 2
    for index, row in enumerate(rows):
        for (name, column), found in zip(columns.items(), row, strict=True):
            sent = values(entity, name, column)[index]
            if column.type == "json":
                assert json.loads(found) == json.loads(sent), name
            elif column.type in ("text", "identifier"):
                assert found == written(sent), name
            else:
                assert found == ARRIVES_AS.get(sent, sent), name
