"""Settings as people write them in the environment: lists, networks, sizes."""

from __future__ import annotations

import duckdb
import pytest
from pydantic import ValidationError

from cdp.warehouse.settings import load_settings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.0.0/8", ("10.0.0.0/8",)),
        ("10.0.0.0/8, 2001:db8::/32 ,", ("10.0.0.0/8", "2001:db8::/32")),
        ('["10.0.0.0/8", "192.168.0.0/16"]', ("10.0.0.0/8", "192.168.0.0/16")),
        ("", ()),
    ],
)
def test_a_list_in_the_environment_is_parted_by_commas_or_json(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CDP_INTERNAL_NETWORKS", written)
    assert load_settings().internal_networks == read


def test_one_address_for_alerts_is_a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_ALERT_EMAIL_TO", "ops@example.com")
    monkeypatch.setenv("CDP_SMTP_HOST", "mail.example.com")
    assert load_settings().alert_email_to == ("ops@example.com",)


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("internal_networks", "10.0.0.0/8,office", "'office' is no network; expected networks"),
        ("internal_networks", "10.0.0.0/33", "'10.0.0.0/33' is no network; expected networks"),
        ("internal_networks", '["10.0.0.0/8"', "expected a list parted by commas"),
        ("memory_limit", "60%", "expected a size such as 4GB"),
        ("memory_limit", "512", "expected a size such as 4GB"),
        ("memory_limit", "4GBs", "expected a size such as 4GB"),
        ("memory_limit", "0GB", "expected a size such as 4GB"),
        ("memory_limit", "lots", "expected a size such as 4GB"),
    ],
)
def test_what_no_run_could_use_is_refused_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str, expected: str
) -> None:
    monkeypatch.setenv(f"CDP_{name.upper()}", written)
    with pytest.raises(ValidationError) as caught:
        load_settings()
    assert expected in str(caught.value)
    assert caught.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize("written", ["4GB", "512 MB", "1.5gib", "2G", " 1TB "])
def test_a_size_that_is_taken_is_one_that_the_engine_takes(written: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "SET memory_limit = ?", [load_settings(memory_limit=written).memory_limit]
        )
