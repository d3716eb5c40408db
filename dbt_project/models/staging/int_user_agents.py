"""One row per user agent that an event has carried: whether it is a known bot's."""

from cdp.governance.visitors import judge_user_agents


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    events = dbt.ref("int_all_events").filter("user_agent is not null")
    if dbt.is_incremental:
        through = dbt.ref("int_current_run").project("published_landing_high_water").fetchone()[0]
        events = events.filter(f"landing_number > {int(through)}")
    agents = events.project("user_agent").distinct()
    if dbt.is_incremental:
        known = session.query(f"select user_agent from {dbt.this}")
        agents = agents.except_(known)
    return judge_user_agents(agents.to_arrow_table())
