"""Editors are told what may stand in a declaration, by schemas that follow the code.

Belongs here: the schemas of the files of `config/`, and the files that are shipped against them.
Does not belong here: what the loaders accept (`tests/config`), which have the last word.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cdp import schemas
from cdp.warehouse.settings import PROJECT_ROOT

HINT = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
DECLARATIONS = sorted(
    path.relative_to(PROJECT_ROOT)
    for folder in ("config", "examples")
    for path in (PROJECT_ROOT / folder).rglob("*.yml")
)


def as_editors_see(text: str) -> Any:
    """YAML by its own rules for text, numbers and truth; moments and days stay text."""

    class Plain(yaml.SafeLoader):
        pass

    Plain.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, Loader=Plain)  # noqa: S506 - a safe loader that knows fewer types


def schema_of(path: Path) -> tuple[dict[str, Any], str]:
    """The schema that a declaration names in its first line, and the declaration's text."""
    text = (PROJECT_ROOT / path).read_text(encoding="utf-8")
    hint = HINT.match(text)
    assert hint, f"{path} does not begin with the hint that names its schema"
    named = (PROJECT_ROOT / path).parent / hint[1]
    return json.loads(named.read_text(encoding="utf-8")), text


def test_the_schemas_say_what_the_code_takes() -> None:
    for path, text in schemas.texts().items():
        assert path.read_text(encoding="utf-8") == text, "call `make reference` and commit"


@pytest.mark.parametrize("path", DECLARATIONS, ids=str)
def test_a_shipped_declaration_is_what_its_schema_says(path: Path) -> None:
    schema, text = schema_of(path)
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(as_editors_see(text))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("config/sources.yml", "fresh_within:", "fresh_withn:"),
        ("config/sources.yml", "kind: files", "kind: fils"),
        ("config/segments/loyal_customers.yml", "owner:", "ownr:"),
        ("config/roles.yml", "shows:", "show:"),
    ],
)
def test_what_is_mistyped_is_underlined(path: str, right: str, wrong: str) -> None:
    schema, text = schema_of(Path(path))
    mistyped = text.replace(right, wrong, 1)
    assert mistyped != text
    errors = jsonschema.Draft202012Validator(schema).iter_errors(as_editors_see(mistyped))
    assert list(errors) != []
