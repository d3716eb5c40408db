"""One row per raw phone number: its E.164 form, null where it is no possible number."""

from functools import partial

import pyarrow as pa

from cdp.identity.phones import to_e164
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    births = frames.of(dbt.ref("identifier_births")).filter("identifier_type = 'phone'")
    country = frames.of(dbt.ref("int_current_run")).value("default_country")
    raw = births.select("birth", "raw_value")
    if dbt.is_incremental:
        last = frames.of_table(session, dbt.this).largest("birth") or 0
        raw = raw.filter(f"birth > {int(last)}")
    read = partial(to_e164, default_country=country)
    schema = pa.schema([("birth", pa.int64()), ("raw_value", pa.string()), ("e164", pa.string())])
    return raw.ordered("birth").map(read, schema)
