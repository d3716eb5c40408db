"""Odd values cost nobody anything once they have landed: ids that are none, times of no clock.

Belongs here: what staging makes of one value, whatever format or mapping it comes by. Does not
belong here: which rows land (`tests/ingestion`), or what staging holds of versions.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
import yaml

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
SOURCES = {
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
