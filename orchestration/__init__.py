"""The order: which table is made after which, when, and by whom, as Dagster definitions.

Belongs here: assets, checks, jobs, schedules, sensors, and the one resource that holds the
warehouse for a run. Does not belong here: what any of them does (`ingestion`, `dbt_project`,
`expectations`, `cdp`). This is the only package that imports dagster, and nothing but the command
line imports it.
"""
