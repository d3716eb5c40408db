"""A small demo shop that has been run once, the whole way.

Belongs here: making it once for all tests of a session, and giving each test that changes something
a copy of its own. Does not belong here: any assertion.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from tests.services.made_once import made_once

if TYPE_CHECKING:
    import dagster as dg

    from orchestration.deployment import Deployment
    from orchestration.running import Outcome

PEOPLE, DAYS = 120, 30


@dataclass(frozen=True)
class ShopRun:
    """A data home with a shop, the deployment over it, and what its first run came to."""

    settings: Settings
    deployment: Deployment
    first: Outcome

    def run(self, **how: Any) -> Outcome:
        """Run the main job once more, in this process."""
        from orchestration.running import run_job

        return run_job(self.settings, deployment=self.deployment, **how)

    def definitions(self) -> dg.Definitions:
        """The definitions over this home."""
        from orchestration.definitions import definitions_of

        return definitions_of(self.deployment)

    def with_settings(self, **changes: Any) -> ShopRun:
        """The same home under other settings."""
        settings = self.settings.model_copy(update=changes)
        return replace(
            self, settings=settings, deployment=replace(self.deployment, settings=settings)
        )


@pytest.fixture(scope="session")
def finished_shop_run(tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """The shop after its first run. Not to be changed: `shop_run` is a copy for that."""
    from orchestration.deployment import load_deployment

    made, outcome = made_once(tmp_path_factory, "shop", _finished)
    # A copy for this process: what another one has open must not be copied in the midst of it.
    home = tmp_path_factory.mktemp("shop") / "home"
    shutil.copytree(made / "home", home, symlinks=True)
    settings = settings_of(home)
    return ShopRun(settings, load_deployment(settings), outcome)


def _finished(folder: Path) -> Outcome:
    from cdp.demo.shop import generate
    from orchestration.running import run_job

    settings = settings_of(folder / "home")
    generate(settings.home, PEOPLE, DAYS)
    outcome = run_job(settings)
    assert outcome.success, outcome.errors
    return outcome


@pytest.fixture
def shop_run(finished_shop_run: ShopRun, tmp_path: Path) -> ShopRun:
    """A copy of the shop after its first run, for this test alone."""
    home = tmp_path / "home"
    shutil.copytree(finished_shop_run.settings.home, home, symlinks=True)
    settings = settings_of(home)
    return ShopRun(
        settings,
        replace(finished_shop_run.deployment, settings=settings),
        finished_shop_run.first,
    )


def settings_of(home: Path) -> Settings:
    """Settings over the shipped configuration, with a data home of their own."""
    return load_settings(
        home=home, config=PROJECT_ROOT / "config", threads=2, lock_wait_seconds=120
    )
