"""`config/matching.yml`: which records are compared, how, and what counts as one person.

Belongs here: the shape of the file, and what it may name. Does not belong here: comparing
(`cdp.identity.matching`), what becomes of a candidate. Without the file, or with nothing in it,
nothing is matched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from cdp.config.contract import CONTACTS
from cdp.config.declared import Declared, Text
from cdp.config.matching_terms import (
    AttributeName,
    Cut,
    CutText,
    Derivation,
    DerivationText,
    read_cut,
    read_derivation,
)
from cdp.config.sources import load_sources
from cdp.config.yaml_text import ConfigError, KeyPath, YamlText, parse_yaml, read_yaml
from cdp.warehouse.settings import Settings

FILE = "matching.yml"

ATTRIBUTES = tuple(
    name
    for name in CONTACTS.columns
    if not name.endswith(("_id", "_ids", "_at")) and CONTACTS.columns[name].type != "json"
)
"""What a contact says about a person, and so what can be compared."""

KINDS = {
    "name": "A name or a word of one: equal, more or less alike; rare names say more.",
    "exact": "Equal or not; rare values say more.",
    "email": "An e-mail address: equal, its local part equal, or either alike.",
    "date": "A date such as a birthday: equal, one digit off, within a month, 1 or 10 years.",
    "phone": "A phone number: equal, or one digit off.",
    "postcode": "A postal code: equal, or one sign off; rare ones say more.",
    "text": "Free text such as a street: equal, or more or less alike.",
    "handle": "A name that people give themselves on the net: equal and distinctive (seven signs "
    "or more, or with a digit), or equal.",
}
"""The ways to compare an attribute."""

Kind = Literal["name", "exact", "email", "date", "phone", "postcode", "text", "handle"]


def _listed(told: Any) -> Any:
    return [told] if isinstance(told, str) else told


Derivations = Annotated[
    tuple[DerivationText, ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Certain(Declared):
    """Pairs that are one person for certain, from which the share of such pairs is estimated."""

    rules: tuple[tuple[CutText, ...], ...] = Field(
        min_length=1,
        description="Lists of attributes; who agrees on all of one list is one person.",
    )
    recall: float = Field(
        0.8,
        gt=0,
        le=1,
        description="What share of all true pairs the rules are thought to find; 0.8 if not said.",
    )


class MatchingModel(Declared):
    """How the records of one source, or of two, are matched."""

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    description: Text = Field("", description="What the model is for.")
    within: tuple[str, ...] = Field(
        (), max_length=1, description="The one source whose records are compared with each other."
    )
    between: tuple[str, ...] = Field(
        (), max_length=2, description="The two sources of which one's records meet the other's."
    )
    derive: dict[AttributeName, Derivations] = Field(
        default_factory=dict,
        description="Attributes made of others. Each of a list that has a value is a way to read a "
        "record; the best one counts.",
    )
    compare: dict[AttributeName, Kind] = Field(
        min_length=1, description="What is compared, and as what kind."
    )
    block: tuple[tuple[CutText, ...], ...] = Field(
        min_length=1,
        description="Lists of attributes; pairs that agree on all of one list are compared.",
    )
    certain: Certain = Field(description="From what the share of true pairs is estimated.")
    train: tuple[tuple[CutText, ...], ...] = Field(
        (),
        description="Lists of attributes; from pairs that agree on one, it is learned how often "
        "one person's other attributes agree. Without it, `block`.",
    )
    accept: float = Field(
        ge=0.5, lt=1, description="From this probability on a pair counts as one person."
    )
    review: float = Field(
        gt=0,
        lt=1,
        description="From this probability on a person is asked; what is below is rejected.",
    )
    seed: int = Field(
        1, ge=0, le=2**31 - 1, description="Which random pairs are drawn to learn; 1 if not said."
    )
    random_pairs: int = Field(
        1_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="How many random pairs are drawn to learn how often strangers agree; a "
        "million if not said.",
    )
    max_block: int = Field(
        500,
        ge=2,
        le=100_000,
        description="A value that more identifiers share makes no pairs: it is nobody's own; 500 "
        "if not said.",
    )

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if bool(self.within) == bool(self.between):
            raise ValueError("expected `within: [source]` or `between: [source, other source]`")
        if self.between and len(set(self.between)) != 2:
            raise ValueError("`between` names two sources; `within` compares one with itself")
        if any(not rule for rule in (*self.block, *self.train, *self.certain.rules)):
            raise ValueError("a list of attributes that must agree has at least one")
        if self.review > self.accept:
            raise ValueError("`review` is not above `accept`")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The one or two sources."""
        return self.within or self.between

    @property
    def training_rules(self) -> tuple[tuple[str, ...], ...]:
        """What pairs agree on from which it is learned."""
        return self.train or self.block

    def derivations(self) -> dict[str, tuple[Derivation, ...]]:
        """Every derived attribute with what it is made of, in the order of the file."""
        return {
            name: tuple(read_derivation(each) for each in told)
            for name, told in self.derive.items()
        }

    def read_attributes(self) -> tuple[str, ...]:
        """The attributes that records have to bring, in alphabetical order."""
        needed = {*self.compare, *(cut.attribute for cut in self.cuts())}
        derived = self.derivations()
        for each in derived.values():
            needed.update(one.attribute for one in each)
        return tuple(sorted(needed - set(derived)))

    def learned_for(self) -> dict[str, Any]:
        """What of the model its parameters depend on when pairs are scored, as JSON holds it."""
        told = {"within", "between", "derive", "compare"}
        return dict(self.model_dump(mode="json", include=told))

    def cuts(self) -> Iterator[Cut]:
        """Everything that pairs have to agree on somewhere."""
        for rules in (self.block, self.train, self.certain.rules):
            for rule in rules:
                yield from (read_cut(text) for text in rule)


def load_matching(
    settings: Settings, attributes: Collection[str] = ATTRIBUTES
) -> dict[str, MatchingModel]:
    """Read and check `matching.yml`.

    Args:
        attributes: what records can bring to be compared.

    Returns:
        The models by their name; none where the file is missing or declares none.

    Raises:
        ConfigError: with the file, the line and what is allowed there.
    """
    path = settings.config / FILE
    if not path.exists():
        return {}
    sources = tuple(sorted(load_sources(settings).sources))
    return dict(_models(path, read_yaml(path), sources, tuple(sorted(attributes))))


@lru_cache(maxsize=8)
def _models(
    path: Path, raw: bytes, sources: tuple[str, ...], attributes: tuple[str, ...]
) -> Mapping[str, MatchingModel]:
    return read_matching(parse_yaml(raw, path), sources, attributes)


def read_matching(
    text: YamlText, sources: Collection[str], attributes: Collection[str]
) -> dict[str, MatchingModel]:
    """The models that a file declares; see `load_matching`."""
    extra = set(text.data) - {"matching"}
    if extra:
        raise text.error((min(extra),), f"'{min(extra)}' is not known here", ["matching"])
    declared = text.data.get("matching")
    if not declared:
        return {}
    if not isinstance(declared, dict):
        raise text.error(("matching",), "expected a name for each model, with what it says below")
    return {name: _model(text, name, body, sources, attributes) for name, body in declared.items()}


def _model(
    text: YamlText, name: str, body: Any, sources: Collection[str], attributes: Collection[str]
) -> MatchingModel:
    here: KeyPath = ("matching", name)
    if not isinstance(body, dict):
        raise text.error(here, "expected a mapping that declares the model")
    known = sorted(set(MatchingModel.model_fields) - {"name"})
    for key in body:
        if key not in known:
            raise text.error((*here, key), f"'{key}' is not known here", known)
    compared = body.get("compare")
    for attribute, kind in compared.items() if isinstance(compared, dict) else ():
        if kind not in KINDS:
            raise text.error((*here, "compare", attribute), f"no kind is called '{kind}'", KINDS)
    try:
        model = MatchingModel(**{"name": name, **body})
    except ValidationError as error:
        raise _at_its_line(text, here, error) from error
    _check_sources(text, here, model, sources)
    _check_attributes(text, here, model, attributes)
    _check_that_all_is_learned(text, here, model)
    return model


def _check_sources(
    text: YamlText, here: KeyPath, model: MatchingModel, sources: Collection[str]
) -> None:
    key = "within" if model.within else "between"
    if key == "between" and len(model.between) != 2:
        raise text.error((*here, key), "expected two sources")
    for index, source in enumerate(model.sources):
        if source not in sources:
            raise text.error((*here, key, index), f"no source is called '{source}'", sources)


def _check_attributes(
    text: YamlText, here: KeyPath, model: MatchingModel, attributes: Collection[str]
) -> None:
    """Every attribute is one of the records' or derived, and a derivation's is so above it."""
    known = set(attributes)
    for name, each in model.derivations().items():
        if name in known:
            raise text.error(
                (*here, "derive", name), f"'{name}' is there already; give it another name"
            )
        for one in each:
            if one.attribute not in known:
                raise _unknown(text, (*here, "derive", name), one.attribute, known)
        known.add(name)
    for name in model.compare:
        if name not in known:
            raise _unknown(text, (*here, "compare", name), name, known)
    for key, rules in (
        (("block",), model.block),
        (("train",), model.train),
        (("certain", "rules"), model.certain.rules),
    ):
        for number, rule in enumerate(rules):
            for index, told in enumerate(rule):
                if (attribute := read_cut(told).attribute) not in known:
                    raise _unknown(text, (*here, *key, number, index), attribute, known)


def _check_that_all_is_learned(text: YamlText, here: KeyPath, model: MatchingModel) -> None:
    """How an attribute agrees cannot be learned from pairs that were chosen for its agreement."""
    rules = [{read_cut(each).attribute for each in rule} for rule in model.training_rules]
    for name in model.compare:
        if all(name in rule for rule in rules):
            raise text.error(
                (*here, "compare", name),
                f"every list of {'`train`' if model.train else '`block`'} has {name}, so nothing "
                f"can be learned about it; add a list without it under `train`",
            )


def _unknown(text: YamlText, keys: KeyPath, name: str, known: Collection[str]) -> ConfigError:
    return text.error(keys, f"no attribute is called '{name}'", known)


def _at_its_line(text: YamlText, above: KeyPath, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    keys: list[str | int] = list(above)
    for part in first["loc"]:
        if (*keys, part) in text.lines:
            keys.append(part)
    told = [part for part in first["loc"] if isinstance(part, str) and part.isidentifier()]
    where = ".".join(told)
    message = first["msg"].removeprefix("Value error, ")
    return text.error(tuple(keys), f"{where}: {message}" if where else message)
