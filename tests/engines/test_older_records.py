"""A record of runs that an earlier version made gets what it lacks, on engines beside the embedded.

Belongs here: what begins a run there, as stand-ins run it. Does not belong here: what is asked of
the record (`tests/orchestration/test_labels_of_runs.py`).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp.warehouse.runs import begin_run, utc_now
from cdp.warehouse.settings import load_settings

if TYPE_CHECKING:
    from cdp.warehouse.store import Warehouse

pytestmark = pytest.mark.integration


def upgraded(warehouse: Warehouse) -> list[tuple[str, int | None]]:
    """The labels that runs see, one of them begun by the earlier version."""
    begin_run(warehouse, "old", "test", "logic")
    warehouse.execute("ALTER TABLE governance.runs DROP COLUMN label_high_water")
    begin_run(warehouse, "new", "test", "logic")
    label = (1, "join", "email", "a", "email", "b", "ada", "it's she", utc_now(), None)
    warehouse.insert("governance.identity_labels", [label])
    begin_run(warehouse, "newer", "test", "logic")
    begin_run(warehouse, "new", "test", "logic")
    return warehouse.rows(
        "SELECT run_id, label_high_water FROM governance.runs ORDER BY started_at"
    )


EXPECTED = [("old", None), ("new", 0), ("newer", 1)]


@pytest.mark.skipif(
    not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
)
def test_on_bigquery(tmp_path: Path) -> None:
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from tests.engines.duck_bigquery import DuckBigQuery

    settings = load_settings(
        home=tmp_path, target="bigquery", bigquery_project="acme-cdp", bigquery_location="EU"
    )
    warehouse = BigQuery(settings, DuckBigQuery().client())  # type: ignore[arg-type]
    warehouse.prepare()
    assert upgraded(warehouse) == EXPECTED


@pytest.mark.skipif(not find_spec("fakesnow"), reason="needs what `make engines` installs")
def test_on_snowflake(tmp_path: Path) -> None:
    from cdp.warehouse.engines.snowflake_store import opened
    from tests.engines.fake_snowflake import connection_settings, patched

    with patched(tmp_path), opened(connection_settings(tmp_path / "home")) as warehouse:
        assert upgraded(warehouse) == EXPECTED
