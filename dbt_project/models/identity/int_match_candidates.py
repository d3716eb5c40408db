"""One row per pair of identifiers and matching model: how likely they are one person, and why."""

from cdp.identity.matching.connecting import limited
from cdp.identity.matching.proposing import KNOWN, SCHEMA, columns_needed, configured, proposals
from cdp.warehouse.building import settings_of_build
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="candidate_key",
    )
    records = frames.of(dbt.ref("int_match_records"))
    run = frames.of(dbt.ref("int_current_run"))
    settings = settings_of_build()
    trained = configured(settings)
    if not trained:
        return run.written(SCHEMA.empty_table())
    sources = ", ".join(f"'{each}'" for each in sorted({s for one in trained for s in one.sources}))
    told = records.filter(f"source in ({sources})").select(*columns_needed(trained)).arrow()
    if not dbt.is_incremental:
        with limited(settings.threads, settings.memory_limit):
            found = proposals(told, trained)
        return run.written(found)
    known = frames.of_table(session, dbt.this).select(*KNOWN).arrow()
    since = run.value("published_landing_high_water")
    through = run.value("landing_high_water")
    with limited(settings.threads, settings.memory_limit):
        found = proposals(told, trained, known, since=int(since), through=int(through))
    return run.written(found)
