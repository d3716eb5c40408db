"""What a file of the project may hold, whatever it is about."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cdp.warehouse.settings import PROJECT_ROOT
from tests.house.project_files import project_files, text_of
from tests.services.order import LONGEST_FIRST, TESTS

LONGEST_MODULE = 600
"""Lines. A longer file of code has more than one job."""

LARGEST_FILE = 1_000_000
"""Bytes of one file, pictures included."""

REGISTRIES = re.compile(
    r"""(?<![\w.-])(?:
        (?:files\.|test\.|upload\.)?pypi\.org | (?:files\.)?pythonhosted\.org | registry\.npmjs\.org
        | repo1?\.maven\.(?:apache\.)?org | crates\.io | proxy\.golang\.org | deb\.debian\.org
        | [\w.-]*(?:artifactory|nexus|devpi)[\w-]*\.[\w.-]+
    )""",
    re.VERBOSE,
)
OF_ONE_MACHINE = re.compile(r"(?<![\w.~:/>-])/(?:work|home|root|Users|mnt|tmp|var/folders)/[\w.-]+")
NAMES_THEM = {Path("tests/house/test_committed_files.py")}
HEADING = re.compile(r"^#{1,6} +(.+?)(?: *\{#([\w-]+)\})? *#*$", re.MULTILINE)
LINK = re.compile(
    r"(?<!!)\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|!\[[^\]]*\]\(([^)\s]+)\)"
)
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1`*$", re.MULTILINE | re.DOTALL)


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in project_files():
        text = text_of(path)
        if text is None or path in NAMES_THEM:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if match := pattern.search(line):
                found.append(f"{path}:{number}: {match.group()}")
    return found


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_with(OF_ONE_MACHINE) == []


def test_no_module_is_too_long_to_have_one_job() -> None:
    long = {
        str(path): count
        for path in project_files()
        if path.suffix in (".py", ".sql")
        and (count := len((text_of(path) or "").splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_no_file_is_larger_than_git_should_carry() -> None:
    large = {
        str(path): size
        for path in project_files()
        if (size := (PROJECT_ROOT / path).stat().st_size) > LARGEST_FILE
    }
    assert large == {}


def test_no_lock_of_a_tool_that_names_its_registry_is_kept() -> None:
    kept = {path.name for path in project_files()}
    assert not kept & {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json"}


def anchors(text: str) -> set[str]:
    found = set()
    for title, given in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\s-]", "", plain).strip()
        found.add(given or re.sub(r"[\s]+", "-", slug))
    return found | set(re.findall(r"<a id=\"([\w-]+)\"", text))


def broken_links(path: Path) -> list[str]:
    text = text_of(path) or ""
    broken = []
    for link, picture in LINK.findall(FENCE.sub("", text)):
        parts = urlsplit(link or picture)
        if parts.scheme or parts.netloc:
            continue
        target = (PROJECT_ROOT / path).parent / unquote(parts.path) if parts.path else None
        if target is not None and not target.exists():
            broken.append(f"{path}: {link or picture} leads nowhere")
        elif parts.fragment and (target is None or target.suffix == ".md"):
            aimed = text if target is None else target.read_text(encoding="utf-8")
            if parts.fragment not in anchors(aimed):
                broken.append(f"{path}: {link} has no heading of that name")
    return broken


def test_every_link_of_every_page_leads_somewhere() -> None:
    pages = [path for path in project_files() if path.suffix == ".md"]
    assert [broken for page in pages for broken in broken_links(page)] == []


def test_what_is_said_to_take_longest_is_there() -> None:
    """A file under another name would silently come last, where it holds everybody up."""
    assert [name for name in LONGEST_FIRST if not (TESTS / name).is_file()] == []
