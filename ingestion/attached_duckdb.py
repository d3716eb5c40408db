"""dlt's DuckDB destination, loading into the attached warehouse.

dlt addresses tables as `dataset.table` of the connection's current catalogue and sets the search
path to that; in the store's instance that would be the in-memory catalogue, and rows would be gone
with the process. Naming the catalogue in the SQL client cures it.

Remove this module when dlt's duckdb destination takes the name of an attached catalogue.

Belongs here: that one name. Does not belong here: anything that another destination needs too.
"""

from __future__ import annotations

from typing import Any

import dlt
import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from cdp.warehouse.fault_points import reached
from cdp.warehouse.store import CATALOG


class _AttachedSqlClient(DuckDbSqlClient):
    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:
        return str(self.capabilities.escape_identifier(CATALOG)) if quote else CATALOG


class _AttachedClient(DuckDbClient):
    def __init__(
        self,
        schema: Schema,
        config: DuckDbClientConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(schema, config, capabilities)
        # The client builds its SQL client itself; only the catalogue's name differs.
        self.sql_client.__class__ = _AttachedSqlClient

    def complete_load(self, load_id: str) -> None:
        reached("landing.after_inbox")
        super().complete_load(load_id)


class AttachedDuckDb(dlt.destinations.duckdb):
    """The destination; takes a cursor of the store's instance."""

    @property
    def client_class(self) -> Any:
        return _AttachedClient


def destination(cursor: duckdb.DuckDBPyConnection) -> Any:
    """dlt's destination on a cursor of the store."""
    return AttachedDuckDb(cursor)
