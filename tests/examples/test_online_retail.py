"""A wholesaler's order lines: traits and segments equal to what pandas computes from the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest

from tests.examples.conftest import Example
from tests.services.real_data import DataSets

AS_OF = pd.Timestamp("2011-08-31 23:00")


@pytest.fixture(scope="module")
def retail(example: Callable[[str], Example], real_data: DataSets) -> Example:
    made = example("online_retail")
    made.lay(real_data / "online_retail/order_lines.parquet", "landing/retail")
    made.run()
    return made


@pytest.fixture(scope="module")
def lines(real_data: DataSets) -> pd.DataFrame:
    """The file, with exact amounts, moments in UTC and customers as text."""
    found = pd.read_parquet(real_data / "online_retail/order_lines.parquet")
    local = pd.to_datetime(found["InvoiceDate"])
    found["moment"] = (
        local.dt.tz_localize("Europe/London").dt.tz_convert("UTC").dt.tz_localize(None)
    )
    found["customer"] = found["CustomerID"].map(lambda number: f"{number:.0f}", na_action="ignore")
    prices = found["UnitPrice"].map(lambda price: Decimal(repr(float(price))))
    found["amount"] = found["Quantity"].map(Decimal) * prices
    found["kind"] = found["InvoiceNo"].str[0].map({"C": "credit", "A": "ledger"}).fillna("order")
    return found


@pytest.fixture(scope="module")
def customers(lines: pd.DataFrame) -> pd.DataFrame:
    """Traits by customer, computed from the lines alone."""
    known = lines.dropna(subset=["customer"])
    # An invoice that was written over two minutes counts from its last line.
    orders = (
        known[known["kind"] == "order"]
        .groupby("InvoiceNo")
        .agg(customer=("customer", "last"), moment=("moment", "last"), amount=("amount", "sum"))
    )
    credit = known[known["kind"] == "credit"].groupby("customer")["amount"].sum()
    found = orders.groupby("customer").agg(
        order_count=("amount", "size"),
        first_purchase_date=("moment", "min"),
        last_purchase_date=("moment", "max"),
        spent=("amount", "sum"),
    )
    everybody = found.index.union(credit.index)
    found = found.reindex(everybody)
    found["order_count"] = found["order_count"].fillna(0).astype(int)
    found["total_spent"] = [
        (spent if isinstance(spent, Decimal) else Decimal(0)) + credit.get(customer, Decimal(0))
        for customer, spent in found["spent"].items()
    ]
    return found


def test_every_line_is_accounted_for(retail: Example, lines: pd.DataFrame) -> None:
    ((read, landed, duplicate, quarantined),) = retail.warehouse_rows(
        "SELECT rows_read, rows_landed, rows_duplicate, rows_quarantined FROM raw.loads"
    )
    assert (read, landed, duplicate, quarantined) == (len(lines), len(lines), 0, 0)
    staged = retail.warehouse_rows(
        "SELECT (SELECT count(*) FROM staging.int_order_lines), "
        "(SELECT count(*) FROM staging.int_refunds), (SELECT count(*) FROM staging.int_orders)"
    )
    kinds = lines["kind"].value_counts()
    invoices = lines[lines["kind"] == "order"]["InvoiceNo"].nunique()
    assert staged == [(kinds["order"], kinds["credit"], invoices)]


def test_traits_are_what_pandas_computes(retail: Example, customers: pd.DataFrame) -> None:
    profile_of = retail.profile_of("retail_id")
    assert set(profile_of.index) == set(customers.index)
    assert profile_of.is_unique
    profiles = retail.read(
        "SELECT profile_id, order_count, first_purchase_date, last_purchase_date "
        "FROM profiles.dim_profiles"
    ).set_index("profile_id")
    found = profiles.loc[profile_of[customers.index]].set_axis(customers.index)
    assert list(found["order_count"]) == list(customers["order_count"])
    for column in ("first_purchase_date", "last_purchase_date"):
        pd.testing.assert_series_equal(
            found[column].astype("datetime64[us]"),
            customers[column].astype("datetime64[us]"),
        )
    # Money as text: a frame of numbers would round what the warehouse holds exactly.
    money = retail.read(
        "SELECT profile_id, CAST(total_spent AS VARCHAR) AS spent, "
        "CAST(average_order_value AS VARCHAR) AS average FROM dim_profiles"
    ).set_index("profile_id")
    exact = money.loc[profile_of[customers.index]].map(Decimal, na_action="ignore")
    assert list(exact["spent"]) == list(customers["total_spent"])
    bought = list(customers["order_count"] > 0)
    assert list(exact["average"].dropna()) == [
        (spent / count).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        for spent, count in customers[bought][["total_spent", "order_count"]].values
    ]
    assert list(exact["average"].notna()) == bought


def scores(values: pd.Series) -> list[int]:
    """The fifth of each value: the lowest of those that begin at or below it with one value."""
    in_order, fifths = values.sort_values().to_list(), []
    for number in range(5):
        # Fifths differ in size by one at most, the larger ones first.
        fifths.append(in_order[len(in_order) // 5 * number + min(number, len(in_order) % 5)])
    return [fifths.index(max(each for each in fifths if each <= value)) + 1 for value in values]


def group(recency: int, frequency: int, monetary: int) -> str:
    """What a buyer of these scores is called."""
    if min(recency, frequency, monetary) >= 4:
        return "champions"
    if frequency >= 4 and recency >= 3:
        return "loyal"
    if recency >= 4 and frequency <= 2:
        return "new"
    if recency >= 3:
        return "promising"
    return "at risk" if frequency >= 3 else "dormant"


def test_scores_are_what_pandas_computes(retail: Example, customers: pd.DataFrame) -> None:
    profile_of = retail.profile_of("retail_id")
    found = retail.read(
        "SELECT profile_id, rfm_recency, rfm_frequency, rfm_monetary, rfm_segment FROM dim_profiles"
    ).set_index("profile_id")
    buyers = customers[customers["order_count"] > 0]
    expected = [
        scores(buyers[trait]) for trait in ("last_purchase_date", "order_count", "total_spent")
    ]
    told = found.loc[profile_of[buyers.index]]
    for dimension, of_all in zip(("recency", "frequency", "monetary"), expected, strict=True):
        assert list(told[f"rfm_{dimension}"]) == of_all, dimension
        assert {1, 5} < set(of_all), dimension
    assert list(told["rfm_segment"]) == list(map(group, *expected))
    assert len(set(told["rfm_segment"])) == 6
    only_credited = customers.index.difference(buyers.index)
    assert len(only_credited)
    assert found.loc[profile_of[only_credited]].isna().all(axis=None)


def test_segments_are_what_pandas_computes(retail: Example, customers: pd.DataFrame) -> None:
    profile_of = retail.profile_of("retail_id")
    age = AS_OF - customers["last_purchase_date"]
    since_first = AS_OF - customers["first_purchase_date"]
    month = timedelta(days=30)
    expected = {
        "regulars": (customers["order_count"] >= 5) & (age < 2 * month),
        "big_spenders": (age < month) & (customers["total_spent"] > 1000),
        "new_customers": (since_first < month) & (customers["order_count"] >= 1),
        "one_off": (customers["order_count"] == 1) & ~(age < 3 * month),
    }
    for name, chosen in expected.items():
        members = set(profile_of[customers.index[chosen]])
        assert members, name
        assert retail.members(name) == members, name


def test_a_second_run_over_the_same_file_changes_nothing(retail: Example) -> None:
    before = retail.read("SELECT * FROM profiles.dim_profiles ORDER BY profile_id")
    retail.run()
    pd.testing.assert_frame_equal(
        retail.read("SELECT * FROM profiles.dim_profiles ORDER BY profile_id"), before
    )


def test_summer_time_is_london_s(retail: Example) -> None:
    """The last invoice was written at 17:16 by London's clocks, an hour ahead of UTC."""
    latest = retail.read("SELECT max(ordered_at) AS latest FROM profiles.fct_orders")
    assert latest["latest"][0] < datetime(2011, 8, 31, 17)
