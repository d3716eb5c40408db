"""Running a worked example the whole way on its real data.

Belongs here: a data home for an example, laying its files down, running the main job over it, and
reading what was published. Does not belong here: any expectation.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest

from cdp.warehouse.readers import open_reader
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import open_warehouse
from orchestration.running import Outcome, run_job

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Example:
    """A folder below `examples/` as the configuration of a home of its own."""

    settings: Settings

    def lay(self, path: Path, folder: str, name: str | None = None) -> None:
        """Put a file where a source of the example takes its files from."""
        target = self.settings.home / folder
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / (name or path.name))

    def run(self) -> Outcome:
        """Run the main job; every gate has to pass."""
        outcome = run_job(self.settings)
        assert outcome.success, outcome.errors
        return outcome

    def read(self, sql: str) -> pd.DataFrame:
        """Query the published set as the marketing role."""
        with open_reader(self.settings, "marketing") as reader:
            return reader.execute(sql).df()

    def warehouse_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the writer's warehouse."""
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql)

    def members(self, segment: str) -> set[int]:
        """The profiles that are in a segment."""
        return set(self.read(f"SELECT profile_id FROM segments.{segment}")["profile_id"])

    def profile_of(self, identifier_type: str) -> pd.Series:
        """Profile by identifier of a type, as it is published."""
        found = self.read(
            "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
            f"WHERE identifier_type = '{identifier_type}'"
        )
        return found.set_index("identifier_value")["profile_id"]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Example]:
    """An example by its name, in an empty home; `replaced` are texts of its sources.yml and what
    stands there instead. `own` is one whose declarations commands may write to."""

    def make(name: str, replaced: Mapping[str, str] = NOTHING, *, own: bool = False) -> Example:
        folder = tmp_path_factory.mktemp(name)
        config = PROJECT_ROOT / "examples" / name
        if replaced or own:
            config = Path(shutil.copytree(config, folder / "config"))
            sources = config / "sources.yml"
            text = sources.read_text()
            for shipped, instead in replaced.items():
                assert shipped in text
                text = text.replace(shipped, instead)
            sources.write_text(text)
        return Example(load_settings(home=folder / "home", config=config, threads=2))

    return make
