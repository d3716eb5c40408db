"""A deployment whose declarations change: between runs, and in the midst of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp.generation import generate
from cdp.warehouse.readers import open_reader
from cdp.warehouse.serving_sets import current_set
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from orchestration.progress import News
from orchestration.running import run_job
from tests.services.shop_run import ShopRun

LATER = """
  later:
    description: Contacts of a source that nobody has asked yet.
    kind: files
    owner: crm@tributary-demo.example
    purpose: marketing
    fresh_within: 1 day
    options: {location: "{home}/landing/later"}
    streams:
      contacts:
        files: "*.csv"
        format: csv
        key: [id]
        maps:
          - {entity: contacts, columns: {contact_id: id, email: email}}
"""
RULE = "order_count >= 3 AND last_purchase_date within 60 days"
OTHER_RULE = "order_count >= 1 AND last_purchase_date within 60 days"


@pytest.fixture
def settings(shop_run: ShopRun, tmp_path: Path) -> Settings:
    """The shop's home under a configuration of its own, with one more source."""
    config = tmp_path / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    with (config / "sources.yml").open("a", encoding="utf-8") as sources:
        sources.write(LATER)
    return load_settings(home=shop_run.settings.home, config=config, threads=2)


def change_the_rule(settings: Settings) -> None:
    """What a person does who edits a segment while a run is under way."""
    path = settings.config / "segments" / "loyal_customers.yml"
    text = path.read_text(encoding="utf-8")
    assert RULE in text
    path.write_text(text.replace(RULE, OTHER_RULE), encoding="utf-8")
    generate(settings)


def members(settings: Settings) -> tuple[int, int]:
    """How many are loyal as it was published, and how many of them bought three times."""
    with open_reader(settings, "marketing") as reader:
        found = reader.execute(
            "SELECT count(*), count(*) FILTER (order_count >= 3) FROM loyal_customers "
            "INNER JOIN dim_profiles USING (profile_id)"
        ).fetchone()
    assert found is not None
    return found[0], found[1]


def test_one_run_has_one_logic_and_needs_no_source_that_it_does_not_ask(
    settings: Settings,
) -> None:
    first = run_job(settings, sources=["web"])
    assert first.success, first.errors
    before = members(settings)
    assert before[0] == before[1] > 0

    def listener(news: News) -> None:
        if news.what == "built" and news.name == "identity":
            change_the_rule(settings)

    published = current_set(settings)
    changed = run_job(settings, listener=listener)
    assert not changed.success
    assert "has changed since this run was loaded" in " ".join(changed.errors)
    assert current_set(settings) == published
    assert members(settings) == before
    # What the refusal says to do.
    again = run_job(settings)
    assert again.success, again.errors
    loyal, often = members(settings)
    assert often == before[0] < loyal
