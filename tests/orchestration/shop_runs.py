"""What tests of runs ask of a shop: what is published, what a run told, and a run of some assets.

Belongs here: driving Dagster as the UI does, and reading its record. Does not belong here: any
expectation.
"""

from __future__ import annotations

import dagster as dg

from cdp.warehouse.serving_sets import current_set
from orchestration.instance import open_instance
from orchestration.progress import Listener, deaf, heard_by
from tests.services.shop_run import ShopRun

SEGMENTS = ("active_cart_abandoners", "high_value_recent", "loyal_customers", "new_visitors")


def published(shop: ShopRun) -> str:
    path = current_set(shop.settings)
    assert path is not None
    return path.name


def materialise(
    shop: ShopRun, *assets: str, listener: Listener = deaf
) -> dg.ExecuteInProcessResult:
    """What the UI does when a person materialises some assets: a run of just those."""
    job = shop.definitions().resolve_implicit_global_asset_job_def()
    with open_instance(shop.settings) as instance, heard_by(listener):
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


def materialisations(shop: ShopRun, run_id: str) -> dict[str, dg.AssetMaterialization]:
    with open_instance(shop.settings) as instance:
        records = instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=1_000
        ).records
    found = {}
    for record in records:
        event = record.event_log_entry.dagster_event
        assert event is not None
        found[event.materialization.asset_key.to_user_string()] = event.materialization
    return found


def evaluations(shop: ShopRun, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """What the checks of a run have come to, in their order."""
    with open_instance(shop.settings) as instance:
        records = instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION, limit=1_000
        ).records
    events = [record.event_log_entry.dagster_event for record in records]
    return [event.asset_check_evaluation_data for event in events if event]
