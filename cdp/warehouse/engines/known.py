"""What is known of each engine before its warehouse is opened.

Belongs here: what commands and the graph must know of the target to do right by it, an engine a
value. Does not belong here: what an opened warehouse is asked (`cdp.warehouse.store`), how it is
opened and checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdp.warehouse.settings import Settings


@dataclass(frozen=True)
class Engine:
    """What sets an engine apart for those who have not opened its warehouse.

    Attributes:
        of_a_file: the warehouse is a file of the data home, which the first run makes, and which
            can be copied.
        sets_of_files: published sets are files of the data home, not schemas of the warehouse.
    """

    of_a_file: bool = False
    sets_of_files: bool = False

    def is_begun(self, settings: Settings) -> bool:
        """Whether there may be a warehouse to open; where it is no file, opening it tells."""
        return not self.of_a_file or settings.warehouse_file.exists()

    def place_of_set(self, settings: Settings, role: str) -> str:
        """Where tools find the current set of a role."""
        if self.sets_of_files:
            return str(settings.serving_dir / "current" / role / "core.duckdb")
        return f"the schema serving_{role}"


_ENGINES = {
    "duckdb": Engine(of_a_file=True, sets_of_files=True),
    "spark": Engine(),
    "snowflake": Engine(),
    "bigquery": Engine(),
}


def engine_of(settings: Settings) -> Engine:
    """The engine of a deployment."""
    return _ENGINES[settings.target]
