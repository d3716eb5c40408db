"""What pages show is there, and what is there is shown."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml

from cdp.config.sources import load_sources
from cdp.segmentation.definitions import load_catalogue, load_definitions
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from tests.house.project_files import project_files

PICTURE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
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


def test_the_readme_shows_a_source_a_trait_and_a_segment_that_are_valid(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    source, trait, segment = BLOCK.findall(text)
    for name, shown in (
        ("sources.yml", "sources:\n" + textwrap.indent(source, "  ")),
        ("traits/mine.yml", trait),
        (f"segments/{yaml.safe_load(segment)['name']}.yml", segment),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(shown, encoding="utf-8")
    assert list(load_sources(load_settings(config=tmp_path)).sources) == ["tills"]
    assert load_catalogue(tmp_path)
    shipped_traits = load_catalogue(PROJECT_ROOT / "config")
    assert len(load_definitions(tmp_path, shipped_traits, "USD")) == 1
