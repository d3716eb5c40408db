"""The servers that tests rely on: each does what its fixture promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy

from tests.services.object_stores import Bucket

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.integration


def test_a_database_of_postgres_is_empty_and_keeps_what_is_written(postgres_database: str) -> None:
    engine = sqlalchemy.create_engine(postgres_database)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE shoes (size integer)")
        connection.exec_driver_sql("INSERT INTO shoes VALUES (42)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT size FROM shoes").scalar() == 42
    engine.dispose()


def test_postgres_lets_nobody_in_without_the_password(postgres_url: str) -> None:
    stranger = sqlalchemy.make_url(postgres_url).set(password="guessed")
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="password authentication failed"):
        sqlalchemy.create_engine(stranger).connect()


@pytest.mark.parametrize("store", ["s3", "gcs"])
def test_what_is_put_into_a_bucket_is_listed_and_read_by_dlt(
    store: str, request: pytest.FixtureRequest
) -> None:
    from dlt.sources.filesystem import filesystem

    bucket: Bucket = request.getfixturevalue(store)
    bucket.put("events/one day.ndjson", b'{"a": 1}\n')
    options: dict[str, Any] = {"credentials": bucket.credentials} if bucket.credentials else {}
    listed = filesystem(bucket_url=bucket.url, file_glob="**/*.ndjson", **options)
    files = list(listed)
    assert [file["relative_path"] for file in files] == ["events/one day.ndjson"]
    assert files[0].read_bytes() == b'{"a": 1}\n'


def test_the_browser_opens_a_page_of_this_machine(chromium: Chrome, s3_endpoint: str) -> None:
    assert httpx.get(f"{s3_endpoint}/moto-api/").status_code == 200
    chromium.get(f"{s3_endpoint}/moto-api/")
    assert "Moto" in chromium.page_source
