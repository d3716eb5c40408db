"""One row per user agent that an event has carried: whether it is a known bot's."""

import pyarrow as pa

from cdp.governance.visitors import judge_user_agents
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    events = frames.of(dbt.ref("int_all_events")).filter("user_agent is not null")
    if dbt.is_incremental:
        run = frames.of(dbt.ref("int_current_run"))
        through = run.value("published_landing_high_water")
        events = events.filter(f"landing_number > {int(through)}")
    agents = events.select("user_agent").distinct()
    if dbt.is_incremental:
        agents = agents.minus(frames.of_table(session, dbt.this).select("user_agent"))
    schema = pa.schema([("user_agent", pa.string()), ("is_bot", pa.bool_())])
    return agents.map(judge_user_agents, schema)
