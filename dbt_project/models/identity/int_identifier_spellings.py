"""One row per text that only code can spell, by normaliser: the spelling that its type has."""

from functools import partial

from cdp.identity.spelling import SCHEMA, spellings_of
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    texts = frames.of(dbt.ref("int_texts_to_spell"))
    run = frames.of(dbt.ref("int_current_run"))
    scopes = frames.of(dbt.ref("identity_scopes")).arrow()
    country = run.value("default_country")
    if dbt.is_incremental:
        texts = texts.filter(f"run_number > {int(run.value('previous_run_number'))}")
    texts = texts.select("normaliser", "raw_value").distinct()
    if dbt.is_incremental:
        known = frames.of_table(session, dbt.this)
        texts = texts.minus(known.select("normaliser", "raw_value"))
    spell = partial(spellings_of, scopes=scopes, default_country=country)
    return texts.ordered("raw_value").map(spell, SCHEMA)
