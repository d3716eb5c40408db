"""The default shop holds every oddity that it promises, each often enough to matter."""

from __future__ import annotations

import gzip
import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import phonenumbers
import pytest
import yaml
from crawleruseragents import is_crawler

from cdp.demo import DemoShop
from cdp.demo.catalogue import BOTS, BROWSERS, COUNTRIES
from cdp.demo.people import phone_number

PROJECT = Path(__file__).parents[2]


@dataclass
class Line:
    """One line of the event files with its outcome and person."""

    file: str
    number: int
    data: bytes
    outcome: str
    reason: str | None
    person_id: str | None
    determined: bool | None
    kind: str | None
    message: dict[str, Any] | None


@pytest.fixture(scope="module")
def lines(default_shop: DemoShop) -> list[Line]:
    known = duckdb.sql(
        f"""
        select o.file, o.line, o.outcome, o.reason, r.person_id, r.determined, r.kind
        from '{default_shop.truth("outcomes")}' as o
        left join '{default_shop.truth("rows")}' as r
            on o.file = r.file and o.line = r.line
        where o.source = 'web'
        order by o.file, o.line
        """
    ).fetchall()
    texts: dict[str, list[bytes]] = {}
    found = []
    for file, number, outcome, reason, person_id, determined, kind in known:
        if file not in texts:
            texts[file] = gzip.decompress((default_shop.home / file).read_bytes()).split(b"\n")
        data = texts[file][number - 1]
        message = json.loads(data) if outcome == "landed" else None
        found.append(
            Line(file, number, data, outcome, reason, person_id, determined, kind, message)
        )
    assert sum(len(each) - 1 for each in texts.values()) == len(found)
    return found


def rows_of(shop: DemoShop, sql: str) -> list[tuple[Any, ...]]:
    return sqlite3.connect(shop.home / "demo/shop.sqlite").execute(sql).fetchall()


def test_the_default_shop_has_about_250_000_events(default_shop: DemoShop) -> None:
    assert 240_000 < default_shop.event_lines < 260_000


def test_every_line_of_every_file_has_one_outcome(
    default_shop: DemoShop, lines: list[Line]
) -> None:
    assert len(lines) == default_shop.event_lines
    assert len({(line.file, line.number) for line in lines}) == len(lines)
    others = duckdb.sql(
        f"select file, count(*) from '{default_shop.truth('outcomes')}' "
        "where source in ('crm', 'consent') group by file"
    ).fetchall()
    assert len(others) == 3
    for file, count in others:
        written = (default_shop.home / file).read_text().splitlines()
        assert count == len(written) - file.endswith(".csv")


def test_every_table_of_the_shop_has_one_outcome_a_row(default_shop: DemoShop) -> None:
    told = duckdb.sql(
        f"select stream, count(*) from '{default_shop.truth('outcomes')}' "
        "where source = 'shop' and outcome = 'landed' group by stream"
    ).fetchall()
    assert len(told) == 5
    for table, count in told:
        assert rows_of(default_shop, f"select count(*) from {table}") == [(count,)]


def test_all_six_calls_come_in_both_shapes(lines: list[Line]) -> None:
    calls = Counter(
        (line.message["type"].lower(), "mobile" in line.file) for line in lines if line.message
    )
    assert {call for call, _ in calls} == {
        "identify",
        "track",
        "page",
        "screen",
        "group",
        "alias",
    }
    assert calls["track", True] > 10_000 and calls["track", False] > 50_000
    mobile = [line.message for line in lines if line.message and "mobile" in line.file]
    assert all("consentManagement" in message["context"] for message in mobile)
    assert not any("timestamp" in message for message in mobile)


def test_people_have_several_devices(lines: list[Line]) -> None:
    devices: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.message and line.person_id and line.kind == "person":
            devices[line.person_id].add(line.message["anonymousId"])
    assert sum(len(its) > 1 for its in devices.values()) > 500
    assert max(len(its) for its in devices.values()) >= 4


def test_devices_are_shared_and_what_is_anonymous_on_them_is_nobodys(lines: list[Line]) -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.message and line.message.get("userId"):
            users[line.message["anonymousId"]].add(line.message["userId"])
    shared = {device for device, its in users.items() if len(its) > 1}
    assert len(shared) > 20
    anonymous = [
        line
        for line in lines
        if line.message and line.message["anonymousId"] in shared and not line.message.get("userId")
    ]
    assert len(anonymous) > 20
    assert not any(line.determined for line in anonymous)


def test_people_browse_for_days_before_they_log_in(lines: list[Line]) -> None:
    first_seen: dict[str, str] = {}
    first_login: dict[str, str] = {}
    for line in lines:
        if line.message and line.message["type"] in ("page", "identify"):
            device = line.message["anonymousId"]
            at = str(line.message.get("timestamp", line.file))
            first_seen[device] = min(at, first_seen.get(device, at))
            if line.message.get("userId"):
                first_login[device] = min(at, first_login.get(device, at))
    days_before = [
        device
        for device, at in first_login.items()
        if at[:4] == first_seen[device][:4] == "2026" and at[:10] > first_seen[device][:10]
    ]
    assert len(days_before) > 300


def test_many_people_are_never_identified(lines: list[Line]) -> None:
    said: dict[str, bool] = defaultdict(bool)
    for line in lines:
        if line.message and line.person_id and line.kind == "person":
            tells = bool(line.message.get("userId")) or line.message["type"] == "identify"
            said[line.person_id] |= tells
    assert sum(not told for told in said.values()) > 1_000


def test_clocks_are_wrong_and_messages_late(lines: list[Line]) -> None:
    wrong = late = 0
    for line in lines:
        message = line.message or {}
        if "timestamp" not in message or "sentAt" not in message:
            continue
        wrong += message["originalTimestamp"][:13] != message["timestamp"][:13]
        late += message["receivedAt"][:10] > message["timestamp"][:10]
    assert wrong > 2_000
    assert late > 1_500


def test_lines_are_out_of_order(lines: list[Line]) -> None:
    received = [
        (line.file, line.message["receivedAt"])
        for line in lines
        if line.message and "receivedAt" in line.message
    ]
    backwards = sum(
        one[0] == other[0] and one[1] > other[1] for one, other in itertools.pairwise(received)
    )
    assert backwards > 1_000


def test_some_lines_come_again_at_once_and_some_days_later(lines: list[Line]) -> None:
    first: dict[bytes, str] = {}
    gaps: Counter[bool] = Counter()
    for line in lines:
        if line.outcome == "landed":
            first.setdefault(line.data, line.file)
        elif line.outcome == "duplicate":
            gaps[first[line.data] == line.file] += 1
    assert gaps[True] > 800 and gaps[False] > 500


def test_each_message_id_lands_once(default_shop: DemoShop) -> None:
    counted = duckdb.sql(
        f"select count(*), count(distinct row_key) from '{default_shop.truth('outcomes')}' "
        "where source = 'web' and outcome = 'landed' and row_key is not null"
    ).fetchone()
    assert counted is not None and counted[0] == counted[1]


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


_SIGNS: dict[str, Callable[[bytes], bool]] = {
    "malformed_json": lambda data: not _is_json(data),
    "not_an_object": lambda data: not isinstance(json.loads(data), dict),
    "invalid_utf8": lambda data: data.decode(errors="replace").encode() != data,
    "nul_byte": lambda data: b"\x00" in data or b"\\u0000" in data,
    "too_deep": lambda data: data.count(b"[") > 2_000,
    "unknown_type": lambda data: json.loads(data).get("type") in ("purchase", None),
    "missing_identity": lambda data: not {"userId", "anonymousId"} & set(json.loads(data)),
    "bad_message_id": lambda data: (
        len(str(json.loads(data)["messageId"])) > 100
        or not isinstance(json.loads(data)["messageId"], str)
    ),
    "time_out_of_range": lambda data: b"99999-" in data,
    "unreadable_time": lambda data: b"yesterday" in data,
    "duplicate_key_in_object": lambda data: data.count(b'"anonymousId"') > 1,
    "key_conflict": lambda data: json.loads(data)["messageId"].startswith("broken-conflict"),
}


def test_broken_lines_are_broken_as_they_say(lines: list[Line]) -> None:
    refused = [line for line in lines if line.outcome == "quarantined"]
    assert len(refused) > 250
    assert {line.reason for line in refused} == set(_SIGNS)
    assert [line for line in refused if not _SIGNS[str(line.reason)](line.data)] == []


def test_a_conflicting_message_follows_the_one_that_stays(lines: list[Line]) -> None:
    landed = {
        line.message["messageId"]: (line.file, line.number, line.data)
        for line in lines
        if line.message and line.message.get("messageId", "").startswith("broken-conflict")
    }
    conflicts = [line for line in lines if line.reason == "key_conflict"]
    assert conflicts
    for line in conflicts:
        file, number, data = landed[json.loads(line.data)["messageId"]]
        assert (file, number) < (line.file, line.number) and data != line.data


def test_bots_and_staff_can_be_told_from_people(lines: list[Line]) -> None:
    kinds: Counter[str] = Counter()
    for line in lines:
        if line.message is None or line.kind is None:
            continue
        context = line.message.get("context", {})
        email = (line.message.get("traits") or context.get("traits") or {}).get("email", "")
        is_own = context.get("ip", "").startswith("10.") or email.endswith(
            "@tributary-demo.example"
        )
        is_bot = context.get("userAgent", "") in BOTS
        expected = "bot" if is_bot else "internal" if is_own else "person"
        assert line.kind == expected
        kinds[line.kind] += 1
    assert kinds["bot"] > 500 and kinds["internal"] > 500


def test_a_maintained_list_knows_the_bots_and_nobody_else() -> None:
    assert all(is_crawler(agent) for agent in BOTS)
    assert not any(is_crawler(agent) for agent in BROWSERS)


def test_bots_and_staff_fill_carts_in_the_last_day(lines: list[Line]) -> None:
    late = [
        line.kind
        for line in lines
        if line.message
        and line.message.get("event") == "Product Added"
        and line.message.get("timestamp", 0) not in (0, None)
        and str(line.message["timestamp"]) > "2026-06-29T12:00:00"
    ]
    assert {"bot", "internal", "person"} <= set(late)


def test_an_event_name_comes_in_several_casings(lines: list[Line]) -> None:
    names = Counter(line.message.get("event") for line in lines if line.message)
    assert min(names[each] for each in ("Product Added", "product_added", "PRODUCT ADDED")) > 100


def test_the_shop_sells_to_guests_and_in_three_currencies(default_shop: DemoShop) -> None:
    guests = rows_of(
        default_shop,
        "select count(*) from orders where customer_no is null and device_id is not null "
        "and contact_email is not null",
    )
    assert guests[0][0] > 500
    currencies = rows_of(default_shop, "select distinct currency_code from orders order by 1")
    assert [each for (each,) in currencies] == ["EUR", "GBP", "USD"]


def test_orders_are_cancelled_deleted_and_paid_back(default_shop: DemoShop) -> None:
    ((cancelled, deleted),) = rows_of(
        default_shop, "select sum(state = 'CANCELED'), sum(deleted_at is not null) from orders"
    )
    assert cancelled > 100 and deleted > 10
    ((full, partial),) = rows_of(
        default_shop,
        "select sum(amount = grand_total), sum(amount < grand_total) "
        "from refunds join orders using (order_no)",
    )
    assert full > 100 and partial > 100
    assert rows_of(default_shop, "select count(*) from customers where deleted_at is not null")[0][
        0
    ]
    assert rows_of(default_shop, "select count(*) from products where deleted_at is not null")[0][0]


def test_totals_are_the_sum_of_their_lines(default_shop: DemoShop) -> None:
    wrong = rows_of(
        default_shop,
        """
        select count(*) from orders join (
            select order_no, sum(line_total) as goods from order_lines group by order_no
        ) using (order_no)
        where abs(goods - discount + shipping - grand_total) > 0.001
        """,
    )
    lonely = rows_of(
        default_shop,
        "select count(*) from orders where order_no not in (select order_no from order_lines)",
    )
    assert (wrong, lonely) == ([(0,)], [(0,)])


def test_every_web_order_has_its_event(default_shop: DemoShop, lines: list[Line]) -> None:
    told = {
        line.message["properties"]["order_id"]: line.message["properties"]["revenue"]
        for line in lines
        if line.message
        and line.message.get("event") == "Order Completed"
        and "order_id" in line.message["properties"]
    }
    kept = dict(
        rows_of(
            default_shop,
            "select order_no, grand_total from orders where sales_channel in ('web', 'app')",
        )
    )
    assert told == kept


def test_the_kiosk_address_is_on_many_peoples_orders(default_shop: DemoShop) -> None:
    found = rows_of(
        default_shop,
        "select count(*), count(distinct customer_no) from orders "
        "where contact_email = 'kiosk@tributary-demo.example'",
    )
    assert found[0][0] > 100 and found[0][1] > 50
    keys = rows_of(
        default_shop,
        "select order_no from orders "
        "where contact_email = 'kiosk@tributary-demo.example' and customer_no is null",
    )
    determined = duckdb.sql(
        f"select distinct determined from '{default_shop.truth('rows')}' "
        f"where stream = 'orders' and row_key in {tuple(key for (key,) in keys)}"
    ).fetchall()
    assert determined == [(False,)]


@pytest.fixture(scope="module")
def contacts(default_shop: DemoShop) -> list[dict[str, str]]:
    found = []
    for path in sorted((default_shop.home / "landing/crm").iterdir()):
        with path.open() as file:
            found += list(DictReader(file))
    return found


def test_contacts_are_kept_twice_with_typos(
    default_shop: DemoShop, contacts: list[dict[str, str]]
) -> None:
    doubles = duckdb.sql(
        f"select count(*) from (select person_id from '{default_shop.truth('rows')}' "
        "where source = 'crm' group by person_id having count(distinct row_key) > 1)"
    ).fetchone()
    assert doubles is not None and doubles[0] > 100
    assert sum(bool(each["MasterRecordId"]) for each in contacts) > 10
    assert sum(each["Email"].isupper() for each in contacts) > 100
    assert sum(each["IsDeleted"] == "true" for each in contacts) > 5
    assert not any(each["MobilePhone"].startswith("+") for each in contacts[:5])


def test_consents_are_given_refused_and_withdrawn_for_each_purpose(default_shop: DemoShop) -> None:
    (path,) = (default_shop.home / "landing/consent").iterdir()
    counted: Counter[tuple[str, str]] = Counter()
    subjects: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        if line.startswith('{"record":"cr-0'):
            record = json.loads(line)
            counted[record["purpose"], record["decision"]] += 1
            subjects[record["subject"]["type"]] += 1
    purposes, states = ("analytics", "email_marketing", "ads"), ("granted", "denied", "withdrawn")
    assert all(counted[purpose, state] > 50 for purpose in purposes for state in states)
    assert set(subjects) == {"email", "user_id"}


def test_every_segment_is_filled_and_nobody_is_in_all_by_default(default_shop: DemoShop) -> None:
    sizes = dict(
        duckdb.sql(
            f"select segment, count(*) from '{default_shop.truth('segments')}' group by segment"
        ).fetchall()
    )
    assert set(sizes) == {
        "active_cart_abandoners",
        "new_visitors",
        "loyal_customers",
        "high_value_recent",
    }
    assert all(50 < size < 2_500 for size in sizes.values())


def test_phones_are_possible_numbers_and_a_wrong_digit_is_nobodys() -> None:
    for country in COUNTRIES:
        numbers = {phone_number(country, each) for each in range(20_000)}
        assert len(numbers) == 20_000
        for number in sorted(numbers)[:200]:
            parsed = phonenumbers.parse(country.dial + number)
            assert phonenumbers.is_possible_number(parsed)
            wrong = number[:-1] + str((int(number[-1]) + 3) % 10)
            assert wrong not in numbers


def test_the_shipped_declaration_names_columns_that_the_shop_has(
    default_shop: DemoShop, contacts: list[dict[str, str]]
) -> None:
    sources = yaml.safe_load((PROJECT / "config/sources.yml").read_text())["sources"]
    for stream in sources["shop"]["streams"].values():
        columns = {row[1] for row in rows_of(default_shop, f"pragma table_info({stream['table']})")}
        named = {*stream["key"], stream["cursor"], stream["deletes"]["column"]}
        mapped = stream["maps"][0]["columns"].values()
        assert named | {each for each in mapped if isinstance(each, str)} <= columns
    crm = sources["crm"]["streams"]["contacts"]
    assert set(crm["maps"][0]["columns"].values()) | {*crm["key"], crm["version"]} <= set(
        contacts[0]
    )


def test_exchange_rates_reach_from_2009_through_2026() -> None:
    rows = (PROJECT / "dbt_project/seeds/exchange_rates.csv").read_text().splitlines()
    assert rows[0] == "currency,valid_from,rate_to_base"
    by_currency: dict[str, list[str]] = defaultdict(list)
    for row in rows[1:]:
        currency, valid_from, rate = row.split(",")
        assert 0.5 < float(rate) < 2.5
        by_currency[currency].append(valid_from)
    assert by_currency["USD"] == ["2009-01-01"]
    for currency in ("EUR", "GBP"):
        assert len(set(by_currency[currency])) == 18 * 12
        assert min(by_currency[currency]) == "2009-01-01"
