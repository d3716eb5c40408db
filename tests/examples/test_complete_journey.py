"""A grocer's loyalty programme: baskets, products, campaigns, attributes by household."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from tests.examples.conftest import Example
from tests.services.real_data import DataSets

AS_OF = pd.Timestamp("2018-01-01 09:00")


@pytest.fixture(scope="module")
def grocer(example: Callable[[str], Example], real_data: DataSets) -> Example:
    made = example("complete_journey")
    folder = real_data / "complete_journey"
    for name in ("transactions", "demographics", "products"):
        made.lay(folder / f"{name}.parquet", "landing/grocer")
    for name in ("campaigns", "coupon_redemptions"):
        made.lay(folder / f"{name}.parquet", "landing/campaigns")
    made.run()
    return made


@pytest.fixture(scope="module")
def lines(real_data: DataSets) -> pd.DataFrame:
    found = pd.read_parquet(real_data / "complete_journey/transactions.parquet")
    # A clock that was not put forward: two o'clock of the lost hour is what others call three.
    local = found["transaction_timestamp"].dt.tz_localize(
        "America/New_York", ambiguous=False, nonexistent=pd.Timedelta(hours=1)
    )
    found["moment"] = local.dt.tz_convert("UTC").dt.tz_localize(None)
    found["cents"] = (found["sales_value"] * 100).round().astype(int)
    return found


def test_each_household_is_one_profile_whatever_names_it(
    grocer: Example, lines: pd.DataFrame, real_data: DataSets
) -> None:
    folder = real_data / "complete_journey"
    households = set(lines["household_id"])
    for name in ("demographics", "campaigns", "coupon_redemptions"):
        households |= set(pd.read_parquet(folder / f"{name}.parquet")["household_id"])
    profile_of = grocer.profile_of("user_id")
    assert set(profile_of.index) == households
    assert profile_of.nunique() == len(households)


def test_traits_are_what_pandas_computes(
    grocer: Example, lines: pd.DataFrame, real_data: DataSets
) -> None:
    expected = lines.groupby("household_id").agg(
        orders=("basket_id", "nunique"), cents=("cents", "sum"), last=("moment", "max")
    )
    profile_of = grocer.profile_of("user_id")
    profiles = grocer.read(
        "SELECT profile_id, order_count, CAST(total_spent * 100 AS BIGINT) AS cents, "
        "favourite_category FROM dim_profiles"
    ).set_index("profile_id")
    found = profiles.loc[profile_of[expected.index]]
    assert list(found["order_count"]) == list(expected["orders"])
    assert list(found["cents"]) == list(expected["cents"])
    products = pd.read_parquet(real_data / "complete_journey/products.parquet")
    products["category"] = products["product_category"].fillna(products["department"])
    bought = lines.merge(products[["product_id", "category"]], on="product_id")
    amounts = bought.groupby(["household_id", "category"]).agg(
        quantity=("quantity", "sum"), last=("moment", "max")
    )
    ranked = amounts.reset_index().sort_values(
        ["household_id", "quantity", "last", "category"], ascending=[True, False, False, True]
    )
    favourite = ranked.groupby("household_id")["category"].first()
    told = found["favourite_category"].set_axis(expected.index)
    assert told[favourite.index].to_dict() == favourite.to_dict()


def test_segments_are_what_pandas_computes(
    grocer: Example, lines: pd.DataFrame, real_data: DataSets
) -> None:
    profile_of = grocer.profile_of("user_id")
    found = lines.groupby("household_id").agg(cents=("cents", "sum"), last=("moment", "max"))
    week = AS_OF - found["last"] < pd.Timedelta(days=7)
    shoppers = found.index[week & (found["cents"] > 10_000)]
    assert grocer.members("weekly_shoppers") == set(profile_of[shoppers])
    redeemed = pd.read_parquet(real_data / "complete_journey/coupon_redemptions.parquet")
    day = pd.to_datetime(redeemed["redemption_date"]).dt.tz_localize("America/New_York")
    recent = AS_OF.tz_localize("UTC") - day < pd.Timedelta(days=90)
    users = set(profile_of[redeemed["household_id"][recent].unique()])
    assert users
    assert grocer.members("coupon_users") == users


def test_campaigns_and_attributes_are_there_for_each_household(
    grocer: Example, real_data: DataSets
) -> None:
    folder = real_data / "complete_journey"
    campaigns = pd.read_parquet(folder / "campaigns.parquet")
    lists = dict(
        grocer.warehouse_rows(
            "SELECT list_id, count(*) FROM staging.int_memberships "
            "WHERE source = 'campaigns' GROUP BY list_id"
        )
    )
    expected = campaigns["campaign_id"].value_counts()
    assert lists == {f"campaign {name}": count for name, count in expected.items()}
    attributes = grocer.warehouse_rows("SELECT contact_id, attributes FROM staging.int_contacts")
    known = pd.read_parquet(folder / "demographics.parquet").set_index("household_id")
    assert len(attributes) == len(known)
    for household, text in attributes:
        told = {key: value for key, value in known.loc[household].items() if pd.notna(value)}
        attributes_told = {
            key: value for key, value in json.loads(text).items() if value is not None
        }
        assert attributes_told == {"household_id": household, **told}
