"""A source that tells nothing new is told to be stale, and stops nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.instance import open_instance
from orchestration.raw import FRESH, LandingConfig, step_name
from tests.orchestration.shop_runs import evaluations
from tests.services.shop_run import ShopRun


def freshness(shop: ShopRun, run_id: str) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        each.asset_key.path[-1]: each
        for each in evaluations(shop, run_id)
        if each.check_name == FRESH
    }


def landed(shop: ShopRun, asked: dict[str, bool]) -> str:
    """Land sources, asking them or not, and nothing else; gives the run."""
    job = shop.definitions().resolve_implicit_global_asset_job_def()
    with open_instance(shop.settings) as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["raw", name]) for name in asked],
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {
                    step_name(name): {
                        "config": LandingConfig(asked=ask, since=None, until=None).model_dump(
                            exclude_none=True
                        )
                    }
                    for name, ask in asked.items()
                },
            },
            raise_on_error=False,
        )
    assert result.success
    return result.run_id


def test_every_source_of_the_shop_is_fresh_at_its_end(finished_shop_run: ShopRun) -> None:
    found = freshness(finished_shop_run, finished_shop_run.first.run_id)
    assert set(found) == set(finished_shop_run.deployment.sources)
    assert all(each.passed for each in found.values())


def test_a_source_that_tells_nothing_new_is_stale_whether_it_is_asked_or_not(
    shop_run: ShopRun,
) -> None:
    sixty_days_on = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=60)
    later = shop_run.with_settings(as_of=sixty_days_on)
    found = freshness(later, landed(later, {"web": True, "shop": False}))
    for each in found.values():
        assert not each.passed
        assert each.severity == dg.AssetCheckSeverity.WARN
        assert not each.blocking
        assert each.metadata["as_of"].value == sixty_days_on.isoformat(" ", "seconds")
    assert set(found) == {"web", "shop"}
