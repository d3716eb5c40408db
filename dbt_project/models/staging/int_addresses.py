"""One row per client address that an event has carried: whether it is the company's own."""

from functools import partial

import pyarrow as pa

from cdp.governance.visitors import judge_addresses
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    run = frames.of(dbt.ref("int_current_run"))
    networks = run.value("internal_networks")
    events = frames.of(dbt.ref("int_all_events")).filter("ip is not null")
    if dbt.is_incremental:
        through = run.value("published_landing_high_water")
        events = events.filter(f"landing_number > {int(through)}")
    addresses = events.select("ip").distinct()
    if dbt.is_incremental:
        addresses = addresses.minus(frames.of_table(session, dbt.this).select("ip"))
    judge = partial(judge_addresses, networks=networks.split(",") if networks else [])
    return addresses.map(judge, pa.schema([("ip", pa.string()), ("is_internal", pa.bool_())]))
