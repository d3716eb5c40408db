"""The walls between the parts of the project: who may import whom, and who may touch what.

ruff's banned-api says the same while one writes; here each wall is held for each module, so that a
file that may pass one wall does not pass them all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT, TARGETS
from tests.house.project_files import (
    PACKAGES,
    Import,
    imports_of,
    is_within,
    module_name,
    modules,
    project_files,
    text_of,
)

HOMES = {
    "dagster": ("orchestration",),
    "dagster_dbt": ("orchestration",),
    "dagster_dlt": ("orchestration",),
    "dagster_shared": ("orchestration",),
    "dagster_webserver": ("orchestration",),
    "dlt": ("ingestion",),
    "dbt": (
        "cdp.warehouse.modelling",
        "cdp.warehouse.engines.dbt_embedded",
        "cdp.warehouse.engines.dbt_sessions",
        "cdp.warehouse.engines.dbt_warehouses",
    ),
    "great_expectations": ("expectations",),
}
"""The one place that knows each of the tools the platform stands on."""

NEIGHBOURS = {
    "cdp.config": {"cdp.warehouse.settings", "cdp.warehouse.engines.quiet_expressions"},
    "cdp.warehouse": {"cdp.config"},
    "cdp.segmentation": {"cdp.config"},
    "cdp.identity": {"cdp.config", "cdp.warehouse"},
    "cdp.governance": {"cdp.config", "cdp.warehouse"},
    "cdp.activation": {"cdp.config", "cdp.warehouse"},
    "cdp.demo": {"cdp.config", "cdp.warehouse"},
    "cdp.generation": {"cdp.config", "cdp.warehouse", "cdp.segmentation"},
    "cdp.reference": {"cdp", "ingestion"},
    "cdp.schemas": {"cdp.config", "cdp.warehouse.settings", "cdp.segmentation"},
    "cdp.commands": {"cdp", "ingestion", "expectations"},
    "cdp.cli": {"cdp"},
    "cdp.__main__": {"cdp.cli"},
    "ingestion": {"cdp.config", "cdp.warehouse"},
    "expectations": {"cdp.config", "cdp.warehouse", "cdp.generation"},
    "orchestration": {
        "cdp.config",
        "cdp.warehouse",
        "cdp.generation",
        "ingestion",
        "expectations",
    },
}
"""What each part may import beside itself. Parts that are not neighbours meet in the warehouse."""

WITH_INPUT_OR_OUTPUT = {
    "asyncio",
    "boto3",
    "duckdb",
    "fsspec",
    "httpx",
    "io",
    "os",
    "pandas",
    "pyarrow",
    "requests",
    "shutil",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "subprocess",
    "tempfile",
    "urllib",
}
READS_DEFINITIONS = "cdp.segmentation.definitions"
OURS = ("cdp", "ingestion", "expectations", "orchestration")


def all_imports() -> list[Import]:
    return [each for path in modules() for each in imports_of(path)]


def part_of(module: str) -> str:
    fitting = [part for part in NEIGHBOURS if is_within(module, part)]
    return max(fitting, key=len, default="")


SWITCHES = {
    "cdp.warehouse.settings": "the setting itself, and folders that are of one engine",
    "cdp.warehouse.engines": "the adapters",
    "cdp.warehouse.store": "opens the warehouse",
    "cdp.warehouse.shelf": "opens the shelf of published sets",
    "cdp.warehouse.published": "opens the published set for a look",
    "cdp.warehouse.modelling": "connects dbt",
    "ingestion.pipelines": "connects dlt",
    "expectations.engines": "connects Great Expectations",
}
"""Where the setting `target` is turned into an engine, and why there."""

WORDS_OF_A_LANGUAGE = {"dialect", "read"}
"""Arguments that say in what language a statement is written, on whatever engine it will run."""


@pytest.mark.parametrize("tool", HOMES)
def test_each_tool_is_known_in_one_place(tool: str) -> None:
    strangers = [
        str(each)
        for each in all_imports()
        if is_within(each.name, tool)
        and not any(is_within(module_name(each.path), home) for home in HOMES[tool])
    ]
    assert strangers == [], f"only {HOMES[tool]} may import {tool}"


def test_nothing_imports_orchestration_but_the_command_line_when_it_starts_a_run() -> None:
    strangers = [
        str(each)
        for each in all_imports()
        if is_within(each.name, "orchestration")
        and not is_within(module_name(each.path), "orchestration")
        and not (module_name(each.path) == "cdp.cli" and not each.at_import_time)
        and not each.type_only
    ]
    assert strangers == []


def test_only_the_command_line_knows_orchestration_even_by_type() -> None:
    knowing = {
        part_of(module_name(each.path))
        for each in all_imports()
        if is_within(each.name, "orchestration")
    }
    assert knowing <= {"orchestration", "cdp.cli", "cdp.commands"}


def test_parts_meet_only_through_their_neighbours() -> None:
    strangers = []
    for each in all_imports():
        if not each.name.startswith(OURS) or is_within(each.name, "orchestration"):
            continue
        part = part_of(module_name(each.path))
        allowed = NEIGHBOURS.get(part, set()) | {part}
        if module_name(each.path) != "cdp" and not any(
            is_within(each.name, one) for one in allowed
        ):
            strangers.append(str(each))
    assert strangers == []


def test_every_module_belongs_to_a_part() -> None:
    homeless = [
        str(path) for path in modules() if not part_of(module_name(path)) and len(path.parts) > 2
    ]
    assert homeless == [], "a new part needs its line in NEIGHBOURS"


def test_the_rule_language_does_no_input_or_output() -> None:
    reaching = [
        str(each)
        for each in all_imports()
        if is_within(module_name(each.path), "cdp.segmentation")
        and module_name(each.path) != READS_DEFINITIONS
        and each.name.split(".")[0] in WITH_INPUT_OR_OUTPUT
    ]
    assert reaching == []


def calls(tree: ast.AST) -> list[tuple[int, str]]:
    return [
        (node.lineno, ast.unparse(node.func))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def test_the_rule_language_opens_no_file() -> None:
    opening = []
    for path in modules():
        if not is_within(module_name(path), "cdp.segmentation"):
            continue
        if module_name(path) == READS_DEFINITIONS:
            continue
        for line, called in calls(parsed(path)):
            if "grammar.lark" in called:  # the language's own definition
                continue
            if called == "open" or called.rsplit(".", 1)[-1] in OPENING:
                opening.append(f"{path}:{line} calls {called}")
    assert opening == []


OPENING = {"read_text", "read_bytes", "write_text", "write_bytes", "glob", "rglob", "iterdir"}


def parsed(path: Path) -> ast.Module:
    return ast.parse((PROJECT_ROOT / path).read_text(encoding="utf-8"))


def test_the_environment_is_read_in_the_settings_alone() -> None:
    reading = []
    for path in modules():
        if module_name(path) == "cdp.warehouse.settings":
            continue
        tree = parsed(path)
        # The command line may hand variables to a process that it becomes.
        handed_on = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and module_name(path) == "cdp.cli"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                found = ast.unparse(node) in READS_ENVIRONMENT and node not in handed_on
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                found = any(one.name in ("environ", "getenv") for one in node.names)
            else:
                continue
            if found:
                reading.append(f"{path}:{node.lineno}")
    assert reading == []


READS_ENVIRONMENT = {"os.environ", "os.getenv", "os.environb"}


def test_which_engine_it_is_is_asked_where_the_one_setting_is_turned_into_one() -> None:
    asking = [
        f"{path}:{line} {told}"
        for path in modules()
        if not any(is_within(module_name(path), switch) for switch in SWITCHES)
        for line, told in asked_of_the_engine(parsed(path))
    ]
    assert asking == [], "ask `cdp.warehouse.engines.known`, the warehouse or a dispatched macro"


def asked_of_the_engine(tree: ast.AST) -> list[tuple[int, str]]:
    """Where a module compares or looks up by a target, or names an engine; docstrings do not
    count, nor does the language of a statement."""
    languages = {id(node) for node in languages_of(tree)}
    found = []
    for node in ast.walk(tree):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript):
            asked = [node.slice]
        elif isinstance(node, ast.Match):
            asked = [node.subject]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get"):
            asked = node.args
        found += [
            (each.lineno, f"asks {ast.unparse(each)}")
            for each in asked
            if isinstance(each, ast.Attribute) and each.attr == "target"
        ]
        if isinstance(node, ast.Constant) and node.value in TARGETS and id(node) not in languages:
            found.append((node.lineno, f"names {ast.unparse(node)}"))
    return found


def languages_of(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given as a language, and what such an argument is where none is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in WORDS_OF_A_LANGUAGE:
            yield node.value
        elif isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args]
            given = [*zip(named[::-1], node.defaults[::-1], strict=False)]
            given += [
                (name, value)
                for name, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)
                if value is not None
            ]
            yield from (value for name, value in given if name.arg in WORDS_OF_A_LANGUAGE)


@pytest.mark.parametrize(
    "text",
    [
        'settings.target == "anything"',
        "settings.target in names",
        "opened[warehouse.settings.target]",
        "opened.get(settings.target)",
        "match settings.target:\n    case _: pass",
        'is_fast = name == "spark"',
        'show(kinds={"bigquery"})',
    ],
)
def test_a_question_for_the_engine_is_seen(text: str) -> None:
    assert asked_of_the_engine(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        'parse(sql, dialect="duckdb")',
        'def f(sql, *, dialect="duckdb"): pass',
        'def f(sql, dialect="duckdb"): pass',
        "tell(settings.target)",
        '"duckdb is the default"',
    ],
)
def test_what_is_no_question_for_the_engine_is_let_be(text: str) -> None:
    assert asked_of_the_engine(ast.parse(text)) == []


def test_every_switch_is_one() -> None:
    idle = [
        switch
        for switch in SWITCHES
        if not any(
            asked_of_the_engine(parsed(path))
            for path in modules()
            if is_within(module_name(path), switch)
        )
    ]
    assert idle == [], "take them out of SWITCHES"


def test_the_demo_truth_is_known_to_its_generator_and_to_tests_alone() -> None:
    """By the word, so that no spelling of the folder gets by; the settings say where it is."""
    knowing = [
        str(path)
        for path in project_files()
        if path.parts[0] in {*PACKAGES, "dbt_project", "config"}
        and path.parts[:2] != ("cdp", "demo")
        and path != Path("cdp/warehouse/settings.py")
        and re.search(r"(?<!test_)truth", text_of(path) or "", re.IGNORECASE)
    ]
    assert knowing == []


def test_only_the_command_that_generates_the_shop_knows_its_generator() -> None:
    strangers = {
        module_name(each.path)
        for each in all_imports()
        if is_within(each.name, "cdp.demo") and not is_within(module_name(each.path), "cdp.demo")
    }
    assert strangers == {"cdp.cli"}


def test_every_module_opens_with_what_belongs_in_it_and_what_does_not() -> None:
    silent = []
    for path in modules():
        tree = parsed(path)
        docstring = (ast.get_docstring(tree) or "").lower()
        is_only_a_name = len(tree.body) <= 1
        if not docstring or (not is_only_a_name and docstring.count("belong") < 2):
            silent.append(str(path))
    assert silent == []
