"""What pages show is there, and what is there is shown."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import yaml

from cdp.config.sources import load_sources
from cdp.generation import declared_traits
from cdp.segmentation.definitions import load_definitions
from cdp.segmentation.traits import Catalogue
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from tests.house.project_files import project_files

PICTURE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\bCDP_([A-Z][A-Z_]*[A-Z])\b")
ENGINE_SETTING = re.compile(r"`((?:lake|spark|snowflake|bigquery)_[a-z_]+)`")
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def pages() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".md"]


def test_every_picture_is_shown_on_a_page_and_every_shown_picture_is_there() -> None:
    shown = {
        (PROJECT_ROOT / page).parent.joinpath(address).resolve()
        for page in pages()
        for address in PICTURE.findall((PROJECT_ROOT / page).read_text(encoding="utf-8"))
        if "://" not in address
    }
    kept = {PROJECT_ROOT / path for path in project_files() if path.parts[:2] == ("docs", "images")}
    assert kept
    assert shown == kept


def test_every_setting_that_a_page_names_is_one() -> None:
    unknown = []
    for page in pages():
        text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
        named = {name.lower() for name in VARIABLE.findall(text)} | set(
            ENGINE_SETTING.findall(text)
        )
        unknown += [f"{page}: {name}" for name in sorted(named - set(Settings.model_fields))]
    assert unknown == []


def test_every_setting_of_an_engine_stands_on_its_page() -> None:
    how_to = PROJECT_ROOT / "docs" / "how-to"
    for target, prefixes in {
        "spark": ("lake_", "spark_"),
        "snowflake": ("snowflake_",),
        "bigquery": ("bigquery_",),
    }.items():
        named = VARIABLE.findall((how_to / f"target-{target}.md").read_text(encoding="utf-8"))
        own = {name.upper() for name in Settings.model_fields if name.startswith(prefixes)}
        assert own - set(named) == set()


def test_the_readme_shows_a_source_a_trait_and_a_segment_that_are_valid(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    source, trait, segment = BLOCK.findall(text)
    for name, shown in (
        ("sources.yml", "sources:\n" + textwrap.indent(source, "  ")),
        (f"segments/{yaml.safe_load(segment)['name']}.yml", segment),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(shown, encoding="utf-8")
    settings = load_settings(config=tmp_path)
    assert list(load_sources(settings).sources) == ["tills"]
    traits = with_trait(tmp_path, trait)
    assert len(load_definitions(tmp_path, traits, "USD")) == 1


def test_the_page_on_traits_shows_one_that_can_be_added(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "docs/how-to/add-a-trait.md").read_text(encoding="utf-8")
    trait = textwrap.dedent(BLOCK.findall(text)[0])
    (name,) = yaml.safe_load(trait)["traits"]
    assert name in with_trait(tmp_path, trait)


def with_trait(config: Path, shown: str) -> Catalogue:
    """The shipped traits and one in a file beside them, as a reader of the page adds it."""
    shutil.copytree(PROJECT_ROOT / "config" / "traits", config / "traits")
    (config / "traits" / "mine.yml").write_text(shown, encoding="utf-8")
    return declared_traits(load_settings(config=config))
