"""Whatever can be set, declared, asked for or built has its entry in the reference, and says so."""

from __future__ import annotations

import ast
import re

import pytest

from cdp import reference
from cdp.config.contract import ENTITIES
from cdp.config.sources import load_sources
from cdp.generation import SHIPPED_PROJECT
from cdp.segmentation.definitions import load_catalogue as load_traits
from cdp.segmentation.definitions import load_definitions
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from ingestion.envelope import REASONS
from tests.house.project_files import is_within, module_name, modules

PAGES = PROJECT_ROOT / "docs" / "reference"
CONFIG = PROJECT_ROOT / "config"


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def undocumented(names: list[str], text: str) -> list[str]:
    return [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize("path", reference.pages(), ids=lambda path: path.stem)
def test_a_generated_page_is_as_it_would_be_written(path: object) -> None:
    text = (PROJECT_ROOT / str(path)).read_text(encoding="utf-8")
    # Not compared as a whole: a page of a thousand lines would drown the line that differs.
    wanted = reference.rewritten(text).splitlines()
    differing = [line for line in wanted if line not in set(text.splitlines())]
    assert differing == [], "call `make reference` and commit what it writes"
    assert wanted == text.splitlines(), "call `make reference` and commit what it writes"


def test_every_part_that_can_be_written_stands_on_a_page() -> None:
    marked = {
        mark["name"]
        for path in reference.pages()
        for mark in reference.REGION.finditer(path.read_text(encoding="utf-8"))
    }
    assert marked == set(reference.PARTS)


def test_every_setting_is_documented() -> None:
    assert undocumented(list(Settings.model_fields), page("settings")) == []
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert silent == [], "a setting says what it means"


def test_every_command_is_documented() -> None:
    assert undocumented(reference.command_names(), page("commands")) == []


def test_every_command_and_option_says_what_it_does() -> None:
    empty = [
        line for line in page("commands").splitlines() if re.fullmatch(r"\| `.*` \|.*\| +\|", line)
    ]
    assert empty == []


def test_every_source_of_the_shipped_configuration_is_documented() -> None:
    sources = load_sources(load_settings(config=CONFIG)).sources
    assert undocumented(list(sources), page("sources")) == []


def test_every_option_that_landing_reads_is_documented() -> None:
    read: set[str] = set()
    for path in modules():
        if not is_within(module_name(path), "ingestion"):
            continue
        for node in ast.walk(ast.parse((PROJECT_ROOT / path).read_text(encoding="utf-8"))):
            read |= options_read(node)
    assert read, "no option was found: does landing read them in another way now?"
    assert undocumented(sorted(read), page("sources")) == []


def options_read(node: ast.AST) -> set[str]:
    """Names in `source.option("x")`, `….options.get("x")` and `options["x"]`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="option"), args=[ast.Constant(value=str(name)), *_]):
            return {name}
        case (
            ast.Call(
                func=ast.Attribute(attr="get", value=holder),
                args=[ast.Constant(value=str(name)), *_],
            )
            | ast.Subscript(value=holder, slice=ast.Constant(value=str(name)))
        ):
            return {name} if ast.unparse(holder).endswith("options") else set()
    return set()


def test_every_entity_and_its_columns_are_documented() -> None:
    text = page("sources")
    assert undocumented(list(ENTITIES), text) == []
    columns = [column for entity in ENTITIES.values() for column in entity.columns]
    assert undocumented(columns, text) == []


def test_every_segment_and_trait_is_documented() -> None:
    settings = load_settings(config=CONFIG)
    traits = load_traits(CONFIG)
    segments = load_definitions(CONFIG, traits, settings.base_currency)
    assert undocumented([each.name for each in segments], page("segments")) == []
    assert undocumented(list(traits), page("segments")) == []


def test_every_model_and_column_is_described_and_documented() -> None:
    catalogue = load_catalogue(SHIPPED_PROJECT)
    names = [f"{model.schema}.{model.name}" for model in catalogue.values()]
    assert undocumented(names, page("models")) == []
    silent = [
        f"{model.name}.{column}"
        for model in catalogue.values()
        for column, (_, description) in model.columns.items()
        if not description
    ]
    assert silent == []


def test_every_file_of_a_model_is_described() -> None:
    described = {name for _, name in load_catalogue(SHIPPED_PROJECT)}
    built = {
        path.stem
        for path in (SHIPPED_PROJECT / "models").rglob("*")
        if path.suffix in (".sql", ".py")
    }
    assert built - described == set()


def test_every_quarantine_reason_is_documented() -> None:
    assert undocumented(list(REASONS), page("quarantine-reasons")) == []


def test_every_word_of_the_rule_language_is_documented() -> None:
    grammar = (PROJECT_ROOT / "cdp" / "segmentation" / "grammar.lark").read_text()
    words = [word for words in WORD.findall(grammar) for word in words.split("|")]
    signs = OPERATORS.search(grammar)
    assert words
    assert signs
    text = page("rule-language").lower()
    missing = [word for word in words if re.search(rf"\b{word}s?\b", text) is None]
    missing += [sign for sign in signs[1].split("|") if f"`{sign}`" not in text]
    assert missing == []


WORD = re.compile(r"^_?[A-Z]+(?:\.\d)?: /\(?([a-z|]+)\)?(?:s\?)?\\b/i$", re.MULTILINE)
OPERATORS = re.compile(r"^OPERATOR: /(.+)/$", re.MULTILINE)
