"""Runs: a first one, one an hour later with a little news, one with none, against peers.

Belongs here: how long the main job takes over the demo shop, stage by stage, and the same traits
and segments as SQL written by hand. Does not belong here: whether what is built is right
(`tests/models`).

Data: the demo shop, some 50 events a person over 90 days; the news are events of the next hour, one
for every 500 that are there, five by each of their visitors: as many visitors as a fiftieth of the
people.

- full build: stages profiles and segments built anew. Peer: `BY_HAND`, which computes events with
  their sessions, the traits of `dim_profiles` and the members of the four segments from the same
  staged rows and resolved identifiers. Ratio: ours / peer's.
- refresh: the same stages, an hour later, after the news landed. Peer: the full build at the same
  moment. Ratio: refresh / full build; to reach: 0.03. The ratio of the whole runs, landing, gates
  and publishing included, stands beside it.
- the same news: one more hour later, one event for every 500 of the smallest size, at all sizes. It
  shows what of a refresh grows with what is there, not with what is new.
- nothing new: from start to published, in a warm process. To reach: 2 seconds.
- growth, between one size and the next: ln(seconds / seconds before) / ln(events / events before),
  which is 1 where twice the events take twice as long and 0 where they take no longer. To reach:
  1.05 for the full build, 0 for the same news.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure
from benchmarks.machine import peak_memory_gb, seconds
from cdp.demo import SHOP_END, generate
from cdp.warehouse.runs import STAGES
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import open_warehouse
from orchestration.running import Outcome, prepare, run_job, warm_up

FIGURES = (
    Figure(
        "full_build_ratio",
        "full build of profiles and segments",
        "SQL by hand, time",
        1.2,
        "events",
    ),
    Figure(
        "refresh_ratio",
        "refresh with 0.2 % news, an hour later",
        "the full build, time",
        0.03,
        "events",
    ),
    Figure(
        "nothing_new_seconds",
        "a run with nothing new, to published",
        "the clock, seconds",
        2,
        "events",
    ),
    Figure(
        "full_build_growth", "growth of the full build with the events", "exponent", 1.05, "events"
    ),
    Figure(
        "same_news_growth", "growth of a refresh with what is there", "exponent", 0.05, "events"
    ),
)

EVENTS_PER_PERSON = 50
QUIET_RUNS = 5
EVENTS_PER_NEWS = 500
EVENTS_PER_VISITOR = 5

NEWS = """
COPY (
    WITH visitors AS (
        SELECT anonymous_id, row_number() OVER (ORDER BY md5('$name' || anonymous_id)) - 1 AS n
        FROM (SELECT DISTINCT anonymous_id FROM staging.int_events
              WHERE anonymous_id IS NOT NULL AND NOT is_bot AND NOT is_internal)
        QUALIFY n < $visitors
    ),
    news AS (
        SELECT range AS i, range % (SELECT count(*) FROM visitors) AS n FROM range($events)
    )
    SELECT
        '$name-' || i AS "messageId", 'track' AS type, 'Product Viewed' AS event,
        anonymous_id AS "anonymousId",
        strftime(TIMESTAMP '$start' + to_seconds(i % 3000), '%Y-%m-%dT%H:%M:%S.%gZ') AS timestamp,
        {'product_id': 'p-' || i % 977} AS properties
    FROM news JOIN visitors USING (n)
) TO '$path' (FORMAT json, COMPRESSION gzip)
"""

BY_HAND = (
    """
CREATE OR REPLACE TABLE peer.events AS
WITH known AS (
    SELECT events.*, coalesce(by_user.profile_id, by_device.profile_id) AS profile_id,
           coalesce(by_device.profile_id, by_user.profile_id) AS visitor
    FROM staging.int_events AS events
    LEFT JOIN identity.dim_identifiers AS by_user
        ON by_user.identifier_type = 'user_id' AND by_user.identifier_value = events.user_id
    LEFT JOIN identity.dim_identifiers AS by_device
        ON by_device.identifier_type = 'anonymous_id'
        AND by_device.identifier_value = events.anonymous_id
    WHERE NOT events.is_bot AND NOT events.is_internal
),
timed AS (
    SELECT *, occurred_at - lag(occurred_at) OVER visits > INTERVAL 30 MINUTE AS opens
    FROM known WINDOW visits AS (PARTITION BY visitor ORDER BY occurred_at, landing_number)
)
SELECT *, count(*) FILTER (opens) OVER (
    PARTITION BY visitor ORDER BY occurred_at, landing_number
) AS session_id FROM timed
""",
    """
CREATE OR REPLACE TABLE peer.profiles AS
WITH activity AS (
    SELECT profile_id, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen,
           count(*) AS event_count, count(DISTINCT (visitor, session_id)) AS session_count,
           max(occurred_at) FILTER (event_name = 'Product Added') AS last_added,
           max(occurred_at) FILTER (event_name = 'Order Completed') AS last_completed
    FROM peer.events WHERE occurred_at <= TIMESTAMP '$as_of' GROUP BY profile_id
),
refunds AS (
    SELECT source, order_id, sum(amount) AS amount FROM staging.int_refunds GROUP BY ALL
),
orders AS (
    SELECT orders.source, orders.order_id, orders.ordered_at, known.profile_id,
           (orders.total_amount - coalesce(refunds.amount, 0)) * rates.rate AS net
    FROM staging.int_orders AS orders
    LEFT JOIN refunds USING (source, order_id)
    JOIN identity.dim_identifiers AS known
        ON known.identifier_type = 'user_id' AND known.identifier_value = orders.customer_id
    JOIN profiles.int_exchange_rates AS rates
        ON rates.currency = orders.currency AND CAST(orders.ordered_at AS DATE) >= rates.valid_from
        AND CAST(orders.ordered_at AS DATE) < rates.valid_to
    WHERE orders.status <> 'cancelled' AND orders.ordered_at <= TIMESTAMP '$as_of'
),
spending AS (
    SELECT profile_id, count(*) AS order_count, sum(net) AS total_spent, avg(net) AS average,
           min(ordered_at) AS first_purchase, max(ordered_at) AS last_purchase,
           ntile(5) OVER (ORDER BY max(ordered_at)) AS recency,
           ntile(5) OVER (ORDER BY count(*)) AS frequency,
           ntile(5) OVER (ORDER BY sum(net)) AS monetary
    FROM orders GROUP BY profile_id
),
categories AS (
    SELECT profile_id, arg_max(category, pieces) AS favourite FROM (
        SELECT profile_id, category, sum(quantity) AS pieces
        FROM orders JOIN staging.int_order_lines USING (source, order_id)
        JOIN staging.int_products USING (source, product_id) GROUP BY ALL
    ) GROUP BY profile_id
),
contacts AS (
    SELECT known.profile_id, arg_max(email, updated_at) AS email,
           arg_max(phone, updated_at) AS phone, arg_max(first_name, updated_at) AS first_name,
           arg_max(last_name, updated_at) AS last_name, arg_max(city, updated_at) AS city,
           arg_max(country, updated_at) AS country
    FROM staging.int_contacts AS contacts
    JOIN identity.dim_identifiers AS known
        ON known.identifier_type = contacts.id_type AND known.identifier_value = contacts.contact_id
    GROUP BY known.profile_id
)
SELECT * FROM (SELECT DISTINCT profile_id FROM identity.dim_identifiers)
LEFT JOIN activity USING (profile_id) LEFT JOIN spending USING (profile_id)
LEFT JOIN categories USING (profile_id) LEFT JOIN contacts USING (profile_id)
""",
    """
CREATE OR REPLACE TABLE peer.members AS
SELECT 'active_cart_abandoners' AS segment, profile_id FROM peer.profiles
WHERE last_added > TIMESTAMP '$as_of' - INTERVAL 24 HOUR
  AND NOT coalesce(last_completed > last_added, false)
UNION ALL SELECT 'new_visitors', profile_id FROM peer.profiles
WHERE first_seen > TIMESTAMP '$as_of' - INTERVAL 7 DAY
UNION ALL SELECT 'loyal_customers', profile_id FROM peer.profiles
WHERE order_count >= 3 AND last_purchase > TIMESTAMP '$as_of' - INTERVAL 60 DAY
UNION ALL SELECT 'high_value_recent', profile_id FROM peer.profiles
WHERE last_purchase > TIMESTAMP '$as_of' - INTERVAL 30 DAY AND total_spent > 500
""",
)


def stage_seconds(outcome: Outcome, stages: Sequence[str]) -> float:
    """How long a run has built the stages."""
    return sum(
        news.seconds for news in outcome.news if news.what == "built" and news.name in stages
    )


def model_seconds(outcome: Outcome, schemas: Sequence[str]) -> dict[str, float]:
    """How long a run has built each model of the schemas: what each step of the orchestrator costs
    beyond their sum is its own."""
    return {
        news.name: round(news.seconds, 2)
        for news in outcome.news
        if news.what == "model" and news.name.split(".")[0] in schemas
    }


def ran(settings: Settings) -> Outcome:
    """Run the main job to its end."""
    outcome = run_job(settings, deployment=prepare(settings))
    assert outcome.success, outcome.errors
    return outcome


def deliver_news(settings: Settings, name: str, start: datetime, events: int) -> None:
    """A file of so many events of the hour from `start`."""
    path = settings.home / "landing" / "web" / f"{name}.ndjson.gz"
    said = {
        "name": name,
        "start": start,
        "events": events,
        "visitors": events // EVENTS_PER_VISITOR,
        "path": path,
    }
    with open_warehouse(settings) as warehouse:
        warehouse.execute(Template(NEWS).substitute(said))


def compare(people: int, same_news: int) -> dict[str, Any]:
    """All runs over a shop of so many people; `same_news` is the news that all sizes have."""
    with TemporaryDirectory() as name:
        home = Path(name)
        generate(home, people=people)
        end = SHOP_END.replace(tzinfo=None)

        def hours_later(hours: int) -> Settings:
            moment = end + timedelta(hours=hours)
            return load_settings(home=home, config=PROJECT_ROOT / "config", as_of=moment)

        first = ran(hours_later(0))
        settings = hours_later(1)
        with open_warehouse(settings) as warehouse:
            ((events,),) = warehouse.rows("SELECT count(*) FROM staging.int_events")
        deliver_news(settings, "news", end, events // EVENTS_PER_NEWS)
        refresh = ran(settings)
        with open_warehouse(settings) as warehouse:
            ((changed, profiles),) = warehouse.rows(
                "SELECT (SELECT count(*) FROM profiles.int_changed_profiles), "
                "(SELECT count(*) FROM profiles.dim_profiles)"
            )
        settings = hours_later(2)
        deliver_news(settings, "same-news", end + timedelta(hours=1), same_news)
        same = ran(settings)
        quiet = [seconds(lambda: ran(settings)) for _ in range(QUIET_RUNS)]
        with open_warehouse(settings) as warehouse:
            # The logic of another version built what is there, so all of it is built anew.
            warehouse.execute("UPDATE governance.runs SET logic_hash = 'another'")
        full = ran(settings)
        with open_warehouse(settings) as warehouse:
            warehouse.execute(f"ATTACH '{home / 'peer.duckdb'}' AS peer")
            by_hand = "; ".join(BY_HAND).replace("$as_of", str(settings.as_of))
            of_peer = seconds(lambda: warehouse.execute(by_hand))
            warehouse.execute("DETACH peer")
    built = ("profiles", "segments")
    full_build, refreshed = stage_seconds(full, built), stage_seconds(refresh, built)
    return {
        "people": people,
        "events": events,
        "profiles": profiles,
        "first_run_seconds": round(first.seconds, 2),
        "full_run_seconds": round(full.seconds, 2),
        "full_stage_seconds": {
            stage: round(stage_seconds(full, [stage]), 2) for stage in STAGES[1:]
        },
        "full_build_seconds": round(full_build, 2),
        "by_hand_seconds": round(of_peer, 2),
        "full_build_ratio": round(full_build / of_peer, 2),
        "changed_profiles": changed,
        "refresh_run_seconds": round(refresh.seconds, 2),
        "refresh_stage_seconds": {
            stage: round(stage_seconds(refresh, [stage]), 2) for stage in STAGES[1:]
        },
        "refresh_model_seconds": model_seconds(refresh, built),
        "refresh_seconds": round(refreshed, 2),
        "refresh_ratio": round(refreshed / full_build, 3),
        "refresh_run_ratio": round(refresh.seconds / full.seconds, 3),
        "same_news_events": same_news,
        "same_news_seconds": round(stage_seconds(same, built), 2),
        "nothing_new_seconds": round(statistics.median(quiet), 2),
        "peak_memory_gb": peak_memory_gb(),
    }


def growth(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, float]]:
    """For each size but the first, the exponents from the size before."""
    for before, after in pairwise(results):
        base = math.log(after["events"] / before["events"])
        yield {
            f"{measure}_growth": round(math.log(after[key] / before[key]) / base, 2)
            for measure, key in (
                ("full_build", "full_build_seconds"),
                ("same_news", "same_news_seconds"),
            )
        }


def run(sizes: Sequence[int] = (1_000_000, 10_000_000)) -> list[dict[str, Any]]:
    """Measure each size, given in events."""
    warm_up()
    ordered = sorted(sizes)
    # The same at every size, also where the smallest is not measured this time.
    same_news = min(ordered[0], 1_000_000) // EVENTS_PER_NEWS
    results = [compare(size // EVENTS_PER_PERSON, same_news) for size in ordered]
    for result, exponents in zip(results[1:], growth(results), strict=True):
        result.update(exponents)
    return results
