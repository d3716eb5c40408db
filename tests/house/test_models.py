"""What every model promises, held over their files: floors, contracts, and SQL for any engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cdp.config.roles import SECTIONS, expand, load_roles
from cdp.generation import SHIPPED_PROJECT
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

MODELS = SHIPPED_PROJECT / "models"

CLOCKS = re.compile(
    r"\b(current_(date|time|timestamp)|localtimestamp|now|getdate|sysdate|today|get_current_\w+|"
    r"statement_timestamp|transaction_timestamp|clock_timestamp)\b",
    re.IGNORECASE,
)
ON_EVERY_ENGINE = {
    *("sum", "count", "min", "max", "row_number", "lag", "lead", "ntile"),
    *("cast", "coalesce", "nullif", "least", "greatest", "round", "floor", "abs"),
    *("lower", "upper", "replace", "length", "chr", "concat", "left"),
}
"""Functions that DuckDB, Spark, Snowflake and BigQuery have under this name and mean alike."""

NO_FUNCTIONS = {
    *("as", "and", "or", "not", "in", "on", "over", "exists", "when", "then", "else", "by", "from"),
    *(
        "where",
        "join",
        "select",
        "union",
        "all",
        "distinct",
        "with",
        "decimal",
        "values",
    ),
    *("having", "partition", "between", "using", "is", "case", "end", "jinja"),
}
"""Words that may stand before a bracket and call nothing."""

PRIVATE_SYNTAX = {
    "a cast with two colons": r"::",
    "integer division": r"(?<![:/])//(?!/)",
    "qualify": r"\bqualify\b",
    "group by all or order by all": r"\b(group|order)\s+by\s+all\b",
    "columns left out or replaced in a star": r"\*\s*(exclude|replace|except)\b",
    "filter of an aggregate": r"\bfilter\s*\(\s*where\b",
    "an arrow into JSON": r"->>?",
    "a list": r"(?<![\w\])}])\[",
    "ilike or glob": r"\b(ilike|glob)\b",
    "a semi or anti join by word": r"\b(semi|anti|asof|positional)\s+join\b",
}
"""What DuckDB understands and others do not."""

JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
COMMENT = re.compile(r"--[^\n]*")
TEXT = re.compile(r"'(?:[^']|'')*'")


def sql_files() -> list[Path]:
    """Every model in SQL, and the macros that are not of an engine."""
    found = [*MODELS.rglob("*.sql"), *(SHIPPED_PROJECT / "macros" / "project").glob("*.sql")]
    return sorted(path.relative_to(SHIPPED_PROJECT) for path in found)


def without_comments(path: Path) -> str:
    text = (SHIPPED_PROJECT / path).read_text(encoding="utf-8")
    return COMMENT.sub("", re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL))


def sql_of(path: Path) -> str:
    """A file's own SQL: neither comments nor Jinja nor literals, nor what is an engine's part."""
    text = re.sub(
        r"\{% macro default__.*?\{%-? endmacro %\}",
        "",
        without_comments(path),
        flags=re.DOTALL,
    )
    return TEXT.sub("''", JINJA.sub(" jinja ", text))


def test_a_table_that_may_be_empty_says_why() -> None:
    silent = [
        f"{model.schema}.{model.name}"
        for model in load_catalogue(SHIPPED_PROJECT).values()
        if model.meta.get("row_floor") == 0 and not str(model.meta.get("row_floor_reason") or "")
    ]
    assert silent == [], "a floor of 0 needs a row_floor_reason"


def test_every_model_declares_its_floor_its_kind_and_its_stage() -> None:
    silent = [
        f"{model.schema}.{model.name}: {key}"
        for model in load_catalogue(SHIPPED_PROJECT).values()
        for key in ("row_floor", "kind", "stage", "owner")
        if model.meta.get(key) in (None, "")
    ]
    assert silent == []


def test_what_people_read_has_an_enforced_contract() -> None:
    catalogue = load_catalogue(SHIPPED_PROJECT)
    roles = load_roles(load_settings(config=PROJECT_ROOT / "config")).values()
    served = {
        table
        for role in roles
        for section in SECTIONS
        for table in expand(role.patterns(section), catalogue)
    }
    read = served | {table for table in catalogue if table[1].startswith(("dim_", "fct_"))}
    assert len(served) > 8
    files = {path.stem: path for path in MODELS.rglob("*.sql")}
    loose = [
        f"{schema}.{name}"
        for schema, name in sorted(read)
        if "contract={'enforced': true}" not in files[name].read_text(encoding="utf-8")
    ]
    assert loose == [], "say contract={'enforced': true} in config() of what people read"


LOGIC = re.compile(
    r"\b(join|case|where|group\s+by|over|distinct|coalesce|union)\b|\b(?!ref|config|dbt)\w+\(",
    re.IGNORECASE,
)
"""What a model does beyond handing on the columns of another."""

GENERATED = {
    "staging/generated": "tests/models/test_every_entity.py",
    "segments/generated": "tests/segmentation/test_segment_models.py",
}
"""Generated models follow the declarations of a deployment, so that rows in dbt would hold for one
alone: the tests of their form run what others declare."""


def unit_tested() -> set[str]:
    """The models that have a unit test in dbt."""
    return {
        test["model"]
        for path in MODELS.rglob("*.yml")
        for test in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("unit_tests", ())
    }


def test_every_model_with_logic_has_a_unit_test_or_names_the_test_that_runs_it() -> None:
    tested = unit_tested()
    bare, untested = [], []
    for (_, name), model in load_catalogue(SHIPPED_PROJECT).items():
        (path,) = (path for path in MODELS.rglob(f"{name}.*") if path.suffix in (".sql", ".py"))
        above = str(path.relative_to(MODELS))
        form = next((named for folder, named in GENERATED.items() if above.startswith(folder)), "")
        named = form or model.meta.get("tested_by")
        if path.suffix == ".sql" and not LOGIC.search(without_comments(path)):
            bare.append(name)
        elif name not in tested and not (named and has_tests(named)):
            untested.append(name)
    assert untested == [], "write a unit test, or name a test that runs it: meta: tested_by:"
    assert len(bare) < 10


def has_tests(path: str) -> bool:
    """Whether a file of tests is there and holds some."""
    found = PROJECT_ROOT / path
    return found.is_file() and "\ndef test_" in found.read_text(encoding="utf-8")


def test_a_model_names_a_test_only_where_a_unit_test_cannot_run_it() -> None:
    """Python, recursion, and what asks the warehouse: everything else has its own rows."""
    both = [
        name
        for (_, name), model in load_catalogue(SHIPPED_PROJECT).items()
        if model.meta.get("tested_by") and name in unit_tested()
    ]
    assert both == []


@pytest.mark.parametrize("path", sql_files(), ids=str)
def test_a_model_asks_for_no_current_time_and_speaks_no_engine_s_dialect(path: Path) -> None:
    asked = [found[0] for found in CLOCKS.finditer(without_comments(path))]
    assert asked == [], "join int_current_run and use its as_of: a run has one clock"
    sql = sql_of(path)
    spoken = [what for what, form in PRIVATE_SYNTAX.items() if re.search(form, sql, re.IGNORECASE)]
    called = {name.lower() for name in re.findall(r"\b([a-z_]\w*)\s*\(", sql, re.IGNORECASE)}
    spoken += sorted(called - ON_EVERY_ENGINE - NO_FUNCTIONS)
    assert spoken == [], "what differs between engines stands in dbt_project/macros/engine/"


@pytest.mark.parametrize(
    "sql",
    ["select current_timestamp", "select NOW()", "select x from t where d < current_date"],
)
def test_a_clock_is_seen_in_any_spelling(sql: str) -> None:
    assert CLOCKS.search(sql)
