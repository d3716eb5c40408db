"""One row per name that a row has told of a person: its plain spelling and its parts."""

from cdp.identity.names import SCHEMA, parts_of
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    tuples = frames.of(dbt.ref("int_identifier_tuples")).filter("name is not null")
    if dbt.is_incremental:
        run = frames.of(dbt.ref("int_current_run"))
        through = run.value("published_landing_high_water")
        tuples = tuples.filter(f"last_landing_number > {int(through)}")
    names = tuples.select("name").distinct()
    if dbt.is_incremental:
        names = names.minus(frames.of_table(session, dbt.this).select("name"))
    return names.map(parts_of, SCHEMA)
