"""The typed tree of a rule.

Belongs here: the kinds of condition, what each needs to be decided, and the one spelling of a rule
that tells equal rules from different ones. Does not belong here: how a rule is written
(`parsing`), its SQL (`compiling`), its English (`sentences`).

Every rule is true or false for everybody. A condition on a value that is missing is false, so its
negation is true: `NOT last_purchase_date within 30 days` takes in those who never bought.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cdp.segmentation.traits import Trait

Operator = Literal["=", "!=", "<", "<=", ">", ">="]

_BLANKS = "".join(chr(code) for code in range(0x3001) if unicodedata.category(chr(code)) == "Zs")
"""Every blank of Unicode, the plain one first: what SQL's `trim` takes off."""


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time back from `as_of`: from just after `as_of - length` up to `as_of`.

    A day is 24 hours and a week 7 days, whatever clocks do.
    """

    minutes: int

    def spelled(self) -> tuple[int, str]:
        """Amount and unit, in the largest unit that fits exactly; one day is 24 hours."""
        if self.minutes % 1440 == 0 and self.minutes > 1440:
            return self.minutes // 1440, "day"
        if self.minutes % 60 == 0:
            return self.minutes // 60, "hour"
        return self.minutes, "minute"


@dataclass(frozen=True, slots=True)
class Event:
    """An event that a rule asks for, as it was written and as it is matched."""

    name: str

    @property
    def key(self) -> str:
        """What `fct_events.event_key` holds for it: lower case, blanks for underscores."""
        return _lower(self.name.replace("_", " ").strip(_BLANKS))

    @property
    def column(self) -> str:
        """Start of the names of its feature columns; two keys never share it."""
        plain = self.key.replace(" ", "_")
        if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", plain) and len(plain) <= 40:
            return f"last_{plain}"
        slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:30]
        # Two underscores never stand in a plain name, so a digest cannot meet one.
        return f"last_{slug}__{hashlib.sha256(self.key.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trait compared with a constant."""

    trait: Trait
    operator: Operator
    value: Decimal | str


@dataclass(frozen=True, slots=True)
class DateWithin:
    """The moment that a trait holds lies in a window."""

    trait: Trait
    window: Window


@dataclass(frozen=True, slots=True)
class DidWithin:
    """The last such event lies in a window."""

    event: Event
    window: Window


@dataclass(frozen=True, slots=True)
class DidSince:
    """The last such event comes after the last one of another kind; false where that never was.

    Events at the same moment stand in the order in which they landed.
    """

    event: Event
    since: Event


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class And:
    """All of at least two rules."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of at least two rules."""

    rules: tuple[Rule, ...]


Condition = Comparison | DateWithin | DidWithin | DidSince
Rule = Condition | Not | And | Or


@dataclass(frozen=True, slots=True, order=True)
class Feature:
    """A value of a profile that the segments need and no trait holds: its last event of a kind.

    Attributes:
        key: the event, as `fct_events.event_key` has it.
        column: start of the names of its columns.
        ordered: whether its place in the order of landing is needed too.
    """

    key: str
    column: str
    ordered: bool


def conditions(rule: Rule) -> Iterator[Condition]:
    """Every condition of a rule, from left to right."""
    if isinstance(rule, Not):
        yield from conditions(rule.rule)
    elif isinstance(rule, And | Or):
        for each in rule.rules:
            yield from conditions(each)
    else:
        yield rule


def features(*rules: Rule) -> tuple[Feature, ...]:
    """What the rules need computed from events, each once, in the order of their keys."""
    needed: dict[Event, bool] = {}
    for rule in rules:
        for each in conditions(rule):
            if isinstance(each, DidWithin):
                needed.setdefault(each.event, False)
            elif isinstance(each, DidSince):
                needed[each.event] = needed[each.since] = True
    by_key: dict[str, Feature] = {}
    for event, ordered in needed.items():
        known = by_key.get(event.key)
        ordered = ordered or bool(known and known.ordered)
        by_key[event.key] = Feature(event.key, event.column, ordered)
    return tuple(by_key[key] for key in sorted(by_key))


def canonical(rule: Rule) -> str:
    """One spelling for all rules that differ only in writing: case of events, order of terms."""
    match rule:
        case Comparison(trait, operator, value):
            kind = "text" if isinstance(value, str) else "number"
            return f"compare({trait.column!r},{operator},{kind},{_plain(value)!r})"
        case DateWithin(trait, window):
            return f"date_within({trait.column!r},{window.minutes})"
        case DidWithin(event, window):
            return f"did_within({event.key!r},{window.minutes})"
        case DidSince(event, since):
            return f"did_since({event.key!r},{since.key!r})"
        case Not(inner):
            return f"not({canonical(inner)})"
        case And(rules) | Or(rules):
            name = "and" if isinstance(rule, And) else "or"
            return f"{name}({','.join(sorted({canonical(each) for each in rules}))})"


def rule_version(rule: Rule) -> str:
    """Short digest of a rule: changes whenever what it asks does."""
    return hashlib.sha256(canonical(rule).encode()).hexdigest()[:12]


def _lower(text: str) -> str:
    """Lower case letter by letter, as engines have it.

    Python's own looks at a letter's neighbours (a sigma that ends a word) and makes two of one (an
    I with a dot), so that an event would not be found under its own name.
    """
    return "".join(letter.lower()[0] for letter in text)


def _plain(value: Decimal | str) -> str:
    return value if isinstance(value, str) else format(value.normalize(), "f")
