"""A warehouse of two people with the tables of every stage, filled by hand so that all gates pass.

Belongs here: making such a warehouse for tests of the gates, without landing or dbt, with the
columns that the shipped project declares. Personal columns hold a canary. Does not belong here: any
fault, any assertion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cdp.generation import SHIPPED_PROJECT
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.runs import Run, begin_run, current_run, finish_run
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from expectations.raw import ENVELOPE

CANARY = "canary.anna.karenina@personal.example"
"""Stands in every personal column; must stand in no result."""

AS_OF = "2026-06-30 12:00:00"
LONG_AGO = "2026-06-01 10:00:00"
LANDED = "2026-06-30 11:00:00"

RAW: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "web": [
        ("events", "m:1", {"userId": CANARY, "anonymousId": "d1"}),
        ("events", "m:2", {"userId": CANARY, "anonymousId": "d1"}),
        ("events", "m:3", {"anonymousId": "d2"}),
        ("events", "m:4", {"anonymousId": "bot"}),
    ],
    "shop": [
        ("orders", "k:o1:1", {"order_no": "o1", "contact_email": CANARY}),
        ("orders", "k:o2:1", {"order_no": "o2", "contact_email": CANARY}),
        ("customers", "k:c1:1", {"customer_no": "c1", "email_address": CANARY}),
        ("order_lines", "k:o1:1:1", {"order_no": "o1", "line_no": "1"}),
        ("refunds", "k:r1:1", {"refund_no": "r1", "order_no": "o1"}),
        ("products", "k:p1:1", {"sku": "p1"}),
    ],
    "crm": [("contacts", "k:k1:1", {"Id": "k1", "Email": CANARY})],
    "consent": [("consents", "k:n1:1", {"record": "n1"})],
}
"""By source, what has landed: stream, key, payload. Landing numbers count through, from 1."""

_EVENT = {"event_type": "track", "is_bot": False, "is_internal": False}

STAGED: dict[str, list[dict[str, Any]]] = {
    "stg_web__events": [
        {"row_key": f"m:{n}", "landing_number": n, "event_type": "track", "occurred_at": LONG_AGO}
        for n in range(1, 5)
    ],
    "stg_shop__orders": [
        {"order_id": "o1", "row_key": "k:o1:1", "landing_number": 5, "email": CANARY},
        {"order_id": "o2", "row_key": "k:o2:1", "landing_number": 6, "email": CANARY},
    ],
    "stg_shop__customers": [{"contact_id": "c1", "row_key": "k:c1:1", "landing_number": 7}],
    "stg_shop__order_lines": [
        {"order_id": "o1", "line_number": "1", "row_key": "k:o1:1:1", "landing_number": 8}
    ],
    "stg_shop__refunds": [{"refund_id": "r1", "row_key": "k:r1:1", "landing_number": 9}],
    "stg_shop__products": [{"product_id": "p1", "row_key": "k:p1:1", "landing_number": 10}],
    "stg_crm__contacts": [
        {"contact_id": "k1", "row_key": "k:k1:1", "landing_number": 11, "email": CANARY}
    ],
    "stg_consent__consents": [
        {
            "consent_id": "n1",
            "row_key": "k:n1:1",
            "landing_number": 12,
            "subject_type": "email",
            "subject_id": CANARY,
        }
    ],
}

_UNIONS = {
    "int_all_events": ["stg_web__events"],
    "int_events": ["stg_web__events"],
    "int_contacts": ["stg_shop__customers", "stg_crm__contacts"],
    "int_orders": ["stg_shop__orders"],
    "int_order_lines": ["stg_shop__order_lines"],
    "int_refunds": ["stg_shop__refunds"],
    "int_products": ["stg_shop__products"],
    "int_consents": ["stg_consent__consents"],
}

_VERSIONS = {
    "int_contact_versions": [("shop", "customers"), ("crm", "contacts")],
    "int_order_versions": [("shop", "orders")],
    "int_refund_versions": [("shop", "refunds")],
    "int_consent_versions": [("consent", "consents")],
}

VIEWS = frozenset(_UNIONS | _VERSIONS) | {"int_memberships", "int_membership_versions"}

ROWS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("identity", "identifier_births"): [
        {"birth": 1, "identifier_type": "user_id", "raw_value": CANARY, "run_number": 1},
        {"birth": 2, "identifier_type": "anonymous_id", "raw_value": "d1", "run_number": 1},
        {"birth": 3, "identifier_type": "anonymous_id", "raw_value": "d2", "run_number": 1},
        {"birth": 4, "identifier_type": "email", "raw_value": CANARY, "run_number": 1},
        {"birth": 5, "identifier_type": "email", "raw_value": "TEST@TEST.COM", "run_number": 1},
    ],
    ("identity", "int_identifier_values"): [
        {"birth": n, "node": n, "identifier_value": value, "is_blocked": n == 5}
        for n, value in enumerate([CANARY, "d1", "d2", CANARY, "test@test.com"], 1)
    ],
    ("identity", "int_identifier_tuples"): [
        {"tuple_key": "t1", "user_id": CANARY, "anonymous_id": "d1", "last_landing_number": 2}
    ],
    ("identity", "dim_identifiers"): [
        {"birth": n, "identifier_type": kind, "identifier_value": value}
        | {"component_id": profile, "profile_id": profile}
        for n, kind, value, profile in [
            (1, "user_id", CANARY, 1),
            (2, "anonymous_id", "d1", 1),
            (3, "anonymous_id", "d2", 3),
            (4, "email", CANARY, 1),
        ]
    ],
    ("identity", "int_identity_components"): [
        {"node": n, "component_id": 3 if n == 3 else 1} for n in range(1, 5)
    ],
    ("identity", "fct_identity_edges"): [
        {"edge_key": "e12", "left_node": 1, "right_node": 2, "last_landing_number": 2},
        {"edge_key": "e14", "left_node": 1, "right_node": 4, "last_landing_number": 5},
    ],
    ("identity", "identity_assignments"): [
        {"birth": n, "profile_id": 3 if n == 3 else 1, "run_number": 1} for n in range(1, 5)
    ],
    ("identity", "dim_profile_ids"): [
        {"former_id": profile, "profile_id": profile, "first_known_at": AS_OF} for profile in (1, 3)
    ],
    ("profiles", "int_exchange_rates"): [
        {"currency": "USD", "valid_from": "2026-01-01", "valid_to": "9999-12-31", "rate": 1}
    ],
    ("profiles", "fct_events"): [
        {"event_id": "m:1", "source": "web", "profile_id": 1, "session_id": 1, **_EVENT}
        | {"visitor_birth": 2, "landing_number": 1, "occurred_at": LONG_AGO, "url": CANARY},
        {"event_id": "m:2", "source": "web", "profile_id": 1, "session_id": 1, **_EVENT}
        | {"visitor_birth": 2, "landing_number": 2, "occurred_at": LONG_AGO, "url": CANARY},
        {"event_id": "m:3", "source": "web", "profile_id": 3, "session_id": 3, **_EVENT}
        | {"visitor_birth": 3, "landing_number": 3, "occurred_at": LONG_AGO},
        {"event_id": "m:4", "source": "web", **_EVENT}
        | {"is_bot": True, "landing_number": 4, "occurred_at": LONG_AGO},
    ],
    ("profiles", "fct_sessions"): [
        {"session_id": 1, "visitor_birth": 2, "profile_id": 1, "event_count": 2}
        | {"started_at": LONG_AGO, "ended_at": LONG_AGO},
        {"session_id": 3, "visitor_birth": 3, "profile_id": 3, "event_count": 1}
        | {"started_at": LONG_AGO, "ended_at": LONG_AGO},
    ],
    ("profiles", "fct_orders"): [
        {"order_key": "x1", "source": "shop", "order_id": "o1", "profile_id": 1}
        | {"ordered_at": LONG_AGO, "amount_base": 100, "refunded_base": 30, "net_base": 70}
        | {"is_counted": True, "email": CANARY},
        {"order_key": "x2", "source": "shop", "order_id": "o2", "profile_id": 1}
        | {"ordered_at": LONG_AGO, "amount_base": 50, "refunded_base": 0, "net_base": 50}
        | {"is_counted": False, "email": CANARY},
    ],
    ("profiles", "fct_loose_refunds"): [
        {"refund_key": "y1", "source": "shop", "refund_id": "r9", "profile_id": 1}
        | {"refunded_at": LONG_AGO, "amount_base": 5}
    ],
    ("profiles", "dim_profiles"): [
        {"profile_id": 1, "event_count": 2, "session_count": 1, "order_count": 1}
        | {"total_spent": 65, "first_seen": LONG_AGO, "last_seen": LONG_AGO}
        | {"first_purchase_date": LONG_AGO, "last_purchase_date": LONG_AGO}
        | {"rfm_recency": 5, "rfm_frequency": 1, "rfm_monetary": 3, "rfm_version": 1}
        | {"email": CANARY, "first_name": CANARY, "next_change_at": "2026-07-01 00:00:00"},
        {"profile_id": 3, "event_count": 1, "session_count": 1, "order_count": 0}
        | {"total_spent": 0, "first_seen": LONG_AGO, "last_seen": LONG_AGO},
    ],
    ("governance", "dim_consent_in_force"): [
        {"profile_id": 1, "purpose": "marketing", "is_granted": True}
    ],
    ("segments", "dim_segments"): [
        {"segment_name": name, "rule_version": "v1", "rule": "", "owner": "someone"}
        for name in (
            "active_cart_abandoners",
            "high_value_recent",
            "loyal_customers",
            "new_visitors",
        )
    ],
    ("segments", "int_segment_verdicts"): [
        {"profile_id": profile, "in_active_cart_abandoners": False, "in_high_value_recent": False}
        | {"in_loyal_customers": profile == 1, "in_new_visitors": False}
        | {"next_flip_at": "2026-07-01 00:00:00"}
        for profile in (1, 3)
    ],
    ("segments", "fct_segment_changes"): [
        {"profile_id": 3, "segment_name": "new_visitors", "change": "entered", "run_number": -2},
        {"profile_id": 3, "segment_name": "new_visitors", "change": "left", "run_number": -1},
        {"profile_id": 1, "segment_name": "loyal_customers", "change": "entered", "run_number": 1},
    ],
    ("segments", "fct_segment_memberships"): [
        {"profile_id": 3, "segment_name": "new_visitors", "rule_version": "v1"}
        | {"entered_at": "2026-06-10", "exited_at": "2026-06-20"}
        | {"entered_run_number": -2, "exited_run_number": -1},
        {"profile_id": 1, "segment_name": "loyal_customers", "rule_version": "v1"}
        | {"entered_at": AS_OF, "entered_run_number": 1},
    ],
}


class TinyWarehouse:
    """An open warehouse whose tables were filled by hand, and the run said to have done it."""

    def __init__(self, store: Warehouse, run: Run) -> None:
        self.store, self.run = store, run
        self._cursor: duckdb.DuckDBPyConnection | None = None

    @property
    def settings(self) -> Settings:
        return self.store.settings

    def plant(self, sql: str) -> None:
        """Change what the tables hold; `{canary}` is the canary."""
        self.store.execute(sql.replace("{canary}", CANARY))

    def publish(self) -> None:
        """Say that the run has published everything that has landed."""
        self.store.execute(
            "UPDATE governance.runs SET status = 'published', landing_high_water = 12 "
            "WHERE run_number = ?",
            [self.run.run_number],
        )

    def next_run(self, run_id: str) -> Run:
        """A run after this one, for which nothing has landed."""
        finish_run(self.store, self.run, "finished")
        self.run = begin_run(self.store, run_id, "test")
        self._tell_run(everything_changed=False)
        self._size_segments()
        return self.run

    def fill(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Make and fill the tables of all stages, in the cursor's transaction."""
        self._cursor = cursor
        self._land()
        self._make_tables()
        self._tell_run(everything_changed=True)
        for name, rows in STAGED.items():
            source = name.removeprefix("stg_").partition("__")[0]
            streams = {number: stream for stream, number in _streams(source)}
            for row in rows:
                stream = streams[row["landing_number"]]
                always = {"source": source, "stream": stream, "is_deleted": False}
                self.insert("staging", name, {**always, "landed_at": LANDED, **row})
        for (schema, name), rows in ROWS.items():
            for row in rows:
                self.insert(schema, name, row)
        self._size_segments()
        self._cursor = None

    def insert(self, schema: str, name: str, row: dict[str, Any]) -> None:
        """Put a row into a table."""
        columns = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        self._execute(
            f'INSERT INTO {schema}."{name}" ({columns}) VALUES ({marks})', list(row.values())
        )

    def _execute(self, sql: str, params: list[Any] | None = None) -> None:
        (self._cursor or self.store).execute(sql, params)

    def _land(self) -> None:
        self._execute(
            "CREATE TABLE raw.loads (load_id VARCHAR, run_id VARCHAR, source VARCHAR, "
            "started_at TIMESTAMP, landed_at TIMESTAMP, rows_read BIGINT, rows_landed BIGINT, "
            "rows_duplicate BIGINT, rows_quarantined BIGINT); "
            "CREATE TABLE raw.quarantine (load_id VARCHAR, source VARCHAR, stream VARCHAR, "
            "position VARCHAR, row_key VARCHAR, reason VARCHAR, detail VARCHAR, raw_bytes BLOB, "
            "payload_hash VARCHAR, landed_at TIMESTAMP, quarantine_id VARCHAR, "
            "replayed_load_id VARCHAR)"
        )
        columns = ", ".join(f"{name} {kind}" for name, kind in ENVELOPE.items())
        number = 0
        for source, rows in RAW.items():
            self._execute(f"CREATE TABLE raw.{source} ({columns})")
            load = {"load_id": f"load-{source}", "landed_at": LANDED}
            for stream, key, payload in rows:
                number += 1
                self.insert(
                    "raw",
                    source,
                    {**load, "stream": stream, "row_key": key, "position": f"f:{number}"}
                    | {"payload": json.dumps(payload), "payload_hash": f"h{number}"}
                    | {"is_deleted": False, "landing_number": number},
                )
            kept = 1 if source == "web" else 0
            counts = {"rows_landed": len(rows), "rows_duplicate": 2, "rows_quarantined": kept}
            self.insert(
                "raw",
                "loads",
                {**load, "run_id": self.run.run_id, "source": source, "started_at": LANDED}
                | {"rows_read": len(rows) + 2 + kept, **counts},
            )
        self.insert(
            "raw",
            "quarantine",
            {"load_id": "load-web", "source": "web", "reason": "malformed_json"}
            | {"landed_at": LANDED, "raw_bytes": CANARY.encode(), "row_key": CANARY},
        )

    def _make_tables(self) -> None:
        for (schema, name), model in load_catalogue(SHIPPED_PROJECT).items():
            columns = ", ".join(f'"{column}" {kind}' for column, (kind, _) in model.columns.items())
            if name not in VIEWS and not self._is_segment(schema, name):
                self._execute(f'CREATE TABLE {schema}."{name}" ({columns})')
        for name in sorted(VIEWS):
            self._make_view(name)
        self._execute(
            "CREATE TABLE staging.identifier_types (identifier_type VARCHAR, "
            "max_per_profile INTEGER, window_days INTEGER, do_not_merge BOOLEAN); "
            "INSERT INTO staging.identifier_types VALUES "
            "('user_id', 1, NULL, false), ('email', 5, NULL, false)"
        )
        for schema, name in load_catalogue(SHIPPED_PROJECT):
            if self._is_segment(schema, name):
                self._execute(
                    f"CREATE VIEW segments.{name} AS SELECT profile_id, entered_at, rule_version "
                    f"FROM segments.fct_segment_memberships WHERE segment_name = '{name}' "
                    "AND exited_at IS NULL"
                )
        self._execute(
            "DROP TABLE segments.int_segment_verdict_rows; "
            "CREATE VIEW segments.int_segment_verdict_rows AS SELECT profile_id, segment_name, "
            "rule_version, CASE segment_name "
            "WHEN 'active_cart_abandoners' THEN in_active_cart_abandoners "
            "WHEN 'high_value_recent' THEN in_high_value_recent "
            "WHEN 'loyal_customers' THEN in_loyal_customers "
            "WHEN 'new_visitors' THEN in_new_visitors END AS is_member "
            "FROM segments.int_segment_verdicts CROSS JOIN segments.dim_segments"
        )

    def _make_view(self, name: str) -> None:
        model = load_catalogue(SHIPPED_PROJECT)["staging", name]
        parts = []
        for staged in _UNIONS.get(name, []):
            have = load_catalogue(SHIPPED_PROJECT)["staging", staged].columns
            selected = ", ".join(
                column if column in have else f"CAST(NULL AS {kind}) AS {column}"
                for column, (kind, _) in model.columns.items()
            )
            parts.append(f"SELECT {selected} FROM staging.{staged}")
        for source, stream in _VERSIONS.get(name, []):
            selected = ", ".join(
                column if column in ENVELOPE else f"CAST(NULL AS {kind}) AS {column}"
                for column, (kind, _) in model.columns.items()
            )
            parts.append(
                f"SELECT {selected} FROM raw.{source} WHERE stream = '{stream}' AND NOT is_deleted"
            )
        nothing = ", ".join(
            f"CAST(NULL AS {kind}) AS {column}" for column, (kind, _) in model.columns.items()
        )
        self._execute(
            f"CREATE VIEW staging.{name} AS "
            + (" UNION ALL ".join(parts) or f"SELECT {nothing} WHERE false")
        )

    @staticmethod
    def _is_segment(schema: str, name: str) -> bool:
        return schema == "segments" and name in {
            row["segment_name"] for row in ROWS["segments", "dim_segments"]
        }

    def _tell_run(self, *, everything_changed: bool) -> None:
        self._execute("DELETE FROM governance.int_current_run")
        self.insert(
            "governance",
            "int_current_run",
            {"run_number": self.run.run_number, "run_id": self.run.run_id, "as_of": AS_OF}
            | {"landing_high_water": 12, "everything_changed": everything_changed},
        )

    def _size_segments(self) -> None:
        self._execute(
            "INSERT INTO segments.segment_sizes (run_number, run_id, segment_name, members) "
            f"SELECT {self.run.run_number}, '{self.run.run_id}', segment_name, "
            "count(*) FILTER (staying.profile_id IS NOT NULL) FROM segments.dim_segments LEFT JOIN "
            "(FROM segments.fct_segment_memberships WHERE exited_at IS NULL) AS staying "
            "USING (segment_name) GROUP BY segment_name"
        )


def _streams(source: str) -> list[tuple[str, int]]:
    """The stream of every landing number of a source."""
    before = 0
    for name, rows in RAW.items():
        if name == source:
            return [(row[0], before + position) for position, row in enumerate(rows, 1)]
        before += len(rows)
    raise KeyError(source)


@contextmanager
def open_tiny(home: Path) -> Iterator[TinyWarehouse]:
    """The warehouse of a data home, held until the end; filled where it is empty."""
    settings = load_settings(
        home=home, config=PROJECT_ROOT / "config", threads=2, as_of=f"{AS_OF}Z"
    )
    with open_warehouse(settings, wait_seconds=60) as store:
        run = current_run(store)
        tiny = TinyWarehouse(store, run or begin_run(store, "run-1", "test"))
        if run is None:
            with store.desk() as cursor:
                tiny.fill(cursor)
        yield tiny
