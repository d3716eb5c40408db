"""One row per client address that an event has carried: whether it is the company's own."""

from cdp.governance.visitors import judge_addresses


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    run = (
        dbt.ref("int_current_run")
        .project("published_landing_high_water, internal_networks")
        .fetchone()
    )
    events = dbt.ref("int_all_events").filter("ip is not null")
    if dbt.is_incremental:
        events = events.filter(f"landing_number > {int(run[0])}")
    addresses = events.project("ip").distinct()
    if dbt.is_incremental:
        known = session.query(f"select ip from {dbt.this}")
        addresses = addresses.except_(known)
    return judge_addresses(addresses.to_arrow_table(), run[1].split(",") if run[1] else [])
