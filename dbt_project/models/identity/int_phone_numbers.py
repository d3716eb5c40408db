"""One row per raw phone number: its E.164 form, null where it is no possible number."""

from cdp.identity.phones import to_e164


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    births = dbt.ref("identifier_births").filter("identifier_type = 'phone'")
    country = dbt.ref("int_current_run").project("default_country").fetchone()[0]
    raw = births.project("birth, raw_value")
    if dbt.is_incremental:
        last = session.execute(f"select coalesce(max(birth), 0) from {dbt.this}").fetchone()[0]
        raw = raw.filter(f"birth > {last}")
    table = raw.order("birth").to_arrow_table()
    return to_e164(table, country)
