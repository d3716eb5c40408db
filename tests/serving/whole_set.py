"""Reading a set as an analyst would and judging whether all of it is of one publication.

Belongs here: the check that both tests and the reader processes make, and that process itself:
`python -m tests.serving.whole_set HOME ROLE STOP_FILE` reads until the file exists and prints what
it saw. Does not belong here: publishing.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from cdp.warehouse.readers import NothingPublished, open_reader
from tests.serving.tiny_shop import prepare_settings

VERSIONS = """
    SELECT 'core' AS file, event_count AS version FROM dim_profiles
    UNION SELECT 'core', component_id FROM dim_identifiers
    UNION SELECT 'facts', anchor_birth FROM fct_events
    UNION SELECT 'facts', anchor_birth FROM fct_orders
    UNION SELECT 'facts', event_count FROM fct_sessions
"""

COUNTS = """
    SELECT (SELECT count(*) FROM dim_profiles), (SELECT count(DISTINCT profile_id) FROM fct_events),
           (SELECT count(*) FROM fct_orders), (SELECT 2 * count(*) FROM loyal_customers)
"""


@dataclass
class Seen:
    """What a reader saw: reads that were answered, and what was wrong with any."""

    reads: int = 0
    sets: set[str] = field(default_factory=set)
    mixed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def look(connection: duckdb.DuckDBPyConnection, seen: Seen) -> int | None:
    """Read every table once; return the version of the set, or note that it is mixed."""
    versions = {version for _, version in connection.execute(VERSIONS).fetchall()}
    people = set(connection.execute(COUNTS).fetchall()[0])
    (named,) = connection.execute("SELECT set_name FROM core.about.publication").fetchall()[0]
    (path,) = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = 'core'"
    ).fetchall()[0]
    seen.reads += 1
    seen.sets.add(named)
    if len(versions) != 1 or len(people) != 1 or Path(path).parent.parent.name != named:
        seen.mixed.append(f"{path}: versions {versions}, people {people}, named {named}")
        return None
    return int(versions.pop())


def main(home: str, role: str, stop: str) -> None:
    """Read until told to stop; every read opens the current set anew, every tenth keeps it open."""
    settings, seen = prepare_settings(Path(home)), Seen()
    while not Path(stop).exists():
        try:
            with open_reader(settings, role) as connection:
                first = look(connection, seen)
                for _ in range(4):
                    # Publishing goes on, but what is open stays what it was.
                    if look(connection, seen) != first:
                        seen.mixed.append("an open connection changed its set")
            # Leaves the machine to the runs that the reader is to be disturbed by.
            time.sleep(0.02)
        except (duckdb.Error, OSError, NothingPublished) as error:
            seen.refused.append(f"{type(error).__name__}: {error}")
    print(json.dumps({**vars(seen), "sets": sorted(seen.sets)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
