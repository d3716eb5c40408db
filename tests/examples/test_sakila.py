"""A film rental's tables, loaded into PostgreSQL and read from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from tests.examples.conftest import Example
from tests.services.real_data import DataSets

TABLES = {
    "customer": "customer_id INT PRIMARY KEY, store_id INT, first_name TEXT, last_name TEXT, "
    "email TEXT, address_id INT, activebool BOOLEAN, create_date DATE, last_update TIMESTAMP, "
    "active INT",
    "payment": "payment_id INT PRIMARY KEY, customer_id INT, staff_id INT, rental_id INT, "
    "amount NUMERIC(5, 2), payment_date TIMESTAMP",
    "rental": "rental_id INT PRIMARY KEY, rental_date TIMESTAMP, inventory_id INT, "
    "customer_id INT, return_date TIMESTAMP, staff_id INT, last_update TIMESTAMP",
    "film": "film_id INT PRIMARY KEY, title TEXT, description TEXT, release_year INT, "
    "language_id INT, original_language_id INT, rental_duration INT, rental_rate NUMERIC(4, 2), "
    "length INT, replacement_cost NUMERIC(5, 2), rating TEXT, last_update TIMESTAMP, "
    "special_features TEXT[], fulltext TEXT",
}
AS_OF = pd.Timestamp("2006-02-28 22:00")


@pytest.fixture(scope="module")
def database(postgres_url: str, real_data: DataSets) -> Iterator[sa.Engine]:
    """A database of the rental's tables."""
    server = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE sakila")
    engine = sa.create_engine(sa.make_url(postgres_url).set(database="sakila"))
    raw: Any = engine.raw_connection()
    try:
        cursor = raw.cursor()
        for name, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE {name} ({columns})")
            with (real_data / f"sakila/{name}.csv").open("rb") as stream:
                cursor.execute(f"COPY {name} FROM STDIN WITH (FORMAT csv, HEADER)", stream=stream)
        raw.commit()
    finally:
        raw.close()
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE sakila WITH (FORCE)")
    server.dispose()


@pytest.fixture(scope="module")
def sakila(example: Callable[..., Example], database: sa.Engine) -> Iterator[Example]:
    """The example as it is shipped, but that keys are compared at every run, not once a day."""
    with pytest.MonkeyPatch.context() as environment:
        address = database.url.render_as_string(hide_password=False)
        environment.setenv("SAKILA_DATABASE_URL", address)
        made = example("sakila", {"compare_every: 1 day": "compare_every: 0 seconds"})
        made.run()
        yield made


def test_every_row_of_every_table_lands(sakila: Example, real_data: DataSets) -> None:
    rows = dict(sakila.warehouse_rows("SELECT stream, count(*) FROM raw.sakila GROUP BY stream"))
    streams = {"customers": "customer", "payments": "payment", "rentals": "rental", "films": "film"}
    assert rows == {
        stream: len(pd.read_csv(real_data / f"sakila/{table}.csv"))
        for stream, table in streams.items()
    }


def test_traits_and_segments_are_what_pandas_computes(sakila: Example, real_data: DataSets) -> None:
    payments = pd.read_csv(real_data / "sakila/payment.csv", dtype=str)
    payments["moment"] = pd.to_datetime(payments["payment_date"])
    payments = payments[payments["moment"] <= AS_OF]
    payments["amount"] = payments["amount"].map(Decimal)
    expected = payments.groupby("customer_id").agg(
        orders=("amount", "size"), spent=("amount", "sum")
    )
    profile_of = sakila.profile_of("user_id")
    profiles = sakila.read(
        "SELECT profile_id, order_count, CAST(total_spent AS VARCHAR) AS spent, email "
        "FROM dim_profiles"
    ).set_index("profile_id")
    found = profiles.loc[profile_of[expected.index]]
    assert list(found["order_count"]) == list(expected["orders"])
    assert [Decimal(spent) for spent in found["spent"]] == list(expected["spent"])
    assert len(profiles) == profile_of.nunique() == 599
    customers = pd.read_csv(real_data / "sakila/customer.csv", dtype=str).set_index("customer_id")
    told = profiles["email"].loc[profile_of[customers.index]]
    assert [each.lower() for each in told] == [each.lower() for each in customers["email"]]
    rentals = pd.read_csv(real_data / "sakila/rental.csv", dtype=str)
    moment = pd.to_datetime(rentals["rental_date"])
    lately = (moment <= AS_OF) & (moment > AS_OF - pd.Timedelta(days=30))
    rented = set(rentals["customer_id"][lately])
    paid_well = {str(each) for each in expected.index[expected["spent"] > 120]}
    regulars = sorted(paid_well & rented)
    assert regulars
    assert sakila.members("regulars") == set(profile_of[regulars])


def told(sakila: Example) -> pd.DataFrame:
    """The address of each profile and what it bought, money as exact text."""
    return sakila.read(
        "SELECT profile_id, order_count, CAST(total_spent AS VARCHAR) AS spent, "
        "last_purchase_date, email FROM dim_profiles ORDER BY profile_id"
    ).set_index("profile_id")


def test_a_payment_taken_back_and_a_new_address_move_their_customer_alone(
    sakila: Example, database: sa.Engine
) -> None:
    before = told(sakila)
    mary = sakila.profile_of("user_id")["1"]
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO payment VALUES (99999, 1, 1, 1, 500.25, '2006-02-20 20:00')"
        )
    sakila.run()
    paid = told(sakila)
    assert paid["order_count"][mary] == before["order_count"][mary] + 1
    assert Decimal(paid["spent"][mary]) == Decimal(before["spent"][mary]) + Decimal("500.25")
    assert paid["last_purchase_date"][mary] == pd.Timestamp("2006-02-20 20:00")
    pd.testing.assert_frame_equal(paid.drop(mary), before.drop(mary))
    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM payment WHERE payment_id = 99999")
        connection.exec_driver_sql(
            "UPDATE customer SET email = 'mary@new.example', last_update = '2006-02-20' "
            "WHERE customer_id = 1"
        )
    sakila.run()
    before.loc[mary, "email"] = "mary@new.example"
    pd.testing.assert_frame_equal(told(sakila), before)
