"""Segments and traits as people declare them.

Belongs here: the shape of `config/segments/*.yml` and `config/traits/*.yml`, reading and checking
them. Does not belong here: the rule language (`parsing`), the models made from it (`generation`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlglot.tokens import Tokenizer

from cdp.config.shipped import config_path
from cdp.config.yaml_text import ConfigError, YamlText, load_yaml
from cdp.segmentation.parsing import RESERVED, Place, parse_rule
from cdp.segmentation.sentences import sentence
from cdp.segmentation.traits import Catalogue, Kind, Trait
from cdp.segmentation.tree import Rule, rule_version

NAME = re.compile(r"[a-z][a-z0-9_]{0,54}")
"""What a segment or trait may be called: it becomes a table or column on every engine."""

TAKEN = ("dim_", "fct_", "int_", "stg_", "segment_")
"""How the platform's own tables begin."""


def _plain_text(value: str) -> str:
    if any(ord(character) < 32 and character not in "\n\t" for character in value):
        raise ValueError("control characters are not allowed")
    return value.strip()


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_plain_text)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Definition(_Declared):
    """One file of `config/segments/`."""

    name: str = Field(description="Name of the segment, its file and its table.")
    description: Text = Field(description="Whom it is for and what for.")
    owner: Text = Field(description="E-mail address of who answers for it.")
    purpose: str = Field(
        pattern=r"^[a-z][a-z_]{0,62}$",
        description="Purpose of use that members must have consented to.",
    )
    rule: str = Field(min_length=1, description="Who is in it, in the rule language.")


class TraitDefinition(_Declared):
    """One trait of `config/traits/`."""

    type: Kind = Field(description="number, money, text or moment.")
    label: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9 ,'-]{0,79}$",
        description="As a sentence says it after `whose`.",
    )
    description: Text = Field(description="What it is.")
    column: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="Column of `profiles.dim_profiles`; the trait's own name when absent.",
    )


@dataclass(frozen=True)
class Segment:
    """A segment that has been read and checked.

    Attributes:
        name: also its table.
        description: whom it is for.
        owner: who answers for it.
        purpose: what its members are used for.
        rule_text: the rule as it was written.
        rule: its tree.
        sentence: the rule in English.
        rule_version: changes whenever what the rule asks does.
    """

    name: str
    description: str
    owner: str
    purpose: str
    rule_text: str
    rule: Rule
    sentence: str
    rule_version: str


def load_catalogue(config_dir: Path, columns: Collection[str] | None = None) -> Catalogue:
    """Read every trait that rules may compare.

    Args:
        config_dir: the folder of the configuration.
        columns: those of `profiles.dim_profiles`, to look whether it has what traits name; without
            them nobody looks.

    Raises:
        ConfigError: a declaration is wrong, names no column, or two files declare the same trait.
    """
    traits: dict[str, Trait] = {}
    for path in sorted(config_path(config_dir, "traits").glob("*.yml")):
        text = load_yaml(path)
        for key in text.data:
            if key != "traits":
                raise text.error((key,), f"unknown key '{key}'", ["traits"])
        declared = text.data.get("traits")
        if not isinstance(declared, dict):
            raise text.error(("traits",), "expected `traits:` with one key for each trait")
        for name, data in declared.items():
            _check_name(text, ("traits", name), name, "trait")
            if name in RESERVED:
                raise text.error(("traits", name), f"'{name}' is a word of the rule language")
            if name in traits:
                raise text.error(("traits", name), f"the trait '{name}' stands in another file too")
            found = _validated(TraitDefinition, text, data, ("traits", name))
            column = found.column or name
            if columns is not None and column not in columns:
                where = ("traits", name, "column") if found.column else ("traits", name)
                raise text.error(where, f"profiles.dim_profiles has no column '{column}'", columns)
            traits[name] = Trait(name, found.type, found.label, found.description, column)
    return traits


def load_definitions(
    config_dir: Path, catalogue: Catalogue, base_currency: str
) -> tuple[Segment, ...]:
    """Read every segment, in the order of names.

    Raises:
        ConfigError: a declaration is wrong; a `RuleError` where it is the rule.
    """
    paths = sorted((config_dir / "segments").glob("*.yml"))
    return tuple(_segment(load_yaml(path), catalogue, base_currency) for path in paths)


def _segment(text: YamlText, catalogue: Catalogue, base_currency: str) -> Segment:
    found = _validated(Definition, text, text.data, ())
    _check_name(text, ("name",), found.name, "segment")
    if found.name != text.path.stem:
        # A file is one segment, so a name cannot be given twice.
        raise text.error(
            ("name",),
            f"the segment '{found.name}' belongs into a file of its name, {found.name}.yml",
        )
    if found.name.startswith(TAKEN) or found.name.upper() in Tokenizer.KEYWORDS:
        raise text.error(
            ("name",),
            f"'{found.name}' cannot be the name of a table: it is a word of SQL or begins like "
            f"the platform's own ({', '.join(TAKEN)})",
        )
    rule = parse_rule(found.rule, catalogue, base_currency, _place(text))
    return Segment(
        name=found.name,
        description=found.description,
        owner=found.owner,
        purpose=found.purpose,
        rule_text=" ".join(found.rule.split("\n")).strip(),
        rule=rule,
        sentence=sentence(rule, base_currency),
        rule_version=rule_version(rule),
    )


def _place(text: YamlText) -> Place:
    """Where the rule's text begins: a block (`|`) starts below its key and keeps its lines."""
    line = text.line_of("rule")
    lines = text.path.read_text(encoding="utf-8-sig").splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    block = re.search(r"rule['\"]?\s*:\s*\|", written) is not None
    return Place(text.path, line + 1 if block else line, block)


def _check_name(text: YamlText, keys: tuple[str, ...], name: str, what: str) -> None:
    if not NAME.fullmatch(name):
        raise text.error(
            keys,
            f"the name of a {what} has lower-case letters, digits and underscores, begins with a "
            "letter and has at most 55 characters",
        )


_Model = TypeVar("_Model", bound=_Declared)


def _validated(model: type[_Model], text: YamlText, data: Any, keys: tuple[str, ...]) -> _Model:
    if not isinstance(data, dict):
        raise text.error(keys, f"expected the keys {', '.join(sorted(model.model_fields))}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first: Any = error.errors(include_input=False, include_url=False)[0]
        raise _declaration_error(model, text, keys, first) from None


def _declaration_error(
    model: type[_Declared], text: YamlText, keys: tuple[str, ...], problem: Any
) -> ConfigError:
    where = (*keys, *problem["loc"])
    name = ".".join(str(each) for each in where)
    if problem["type"] == "extra_forbidden":
        known: Sequence[str] = sorted(model.model_fields)
        return text.error(where, f"unknown key '{problem['loc'][-1]}'", known)
    if problem["type"] == "missing":
        return text.error(where, f"`{name}` is missing")
    return text.error(where, f"`{name}`: {problem['msg']}")
