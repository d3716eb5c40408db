"""From the text of a rule to its typed tree.

Belongs here: reading a rule by `grammar.lark`, checking its names and types against the trait
catalogue, its budgets, and errors that say where, what was expected and what was meant. Does not
belong here: where rules are written down (`definitions`), what they compile to (`compiling`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from cdp.config.yaml_text import ConfigError
from cdp.segmentation.traits import Catalogue, Trait
from cdp.segmentation.tree import (
    And,
    Comparison,
    DateWithin,
    DidSince,
    DidWithin,
    Event,
    Not,
    Operator,
    Or,
    Rule,
    Window,
)

MAX_CHARACTERS = 20_000
MAX_TERMS = 500
MAX_DEPTH = 32
"""Brackets and NOTs inside one another."""

MAX_WINDOW_MINUTES = 36_525 * 1440
"""A hundred years."""

RESERVED = frozenset(
    {"and", "or", "not", "within", "did", "since", "seen", "first", "last"}
    | {"in", "then", "at", "least", "most", "times", "where", "between"}
)
"""Words of the language, today's and those it grows into; no trait has such a name."""

_UNITS = {"minute": 1, "hour": 60, "day": 1440, "week": 10080}

_READABLE = {
    "NAME": "a trait",
    "OPERATOR": "a comparison (=, !=, <, <=, >, >=)",
    "NUMBER": "a number",
    "CURRENCY": "a currency",
    "TEXT": "a text in single quotes",
    "UNIT": "minutes, hours, days or weeks",
    "FIRST": "`first seen`",
    "LAST": "`last`",
    "_DID": "`did`",
    "_SEEN": "`seen`",
    "_SINCE": "`since`",
    "_WITHIN": "`within`",
    "_AND": "`AND`",
    "_OR": "`OR`",
    "_NOT": "`NOT`",
    "_OPEN": "`(`",
    "_CLOSE": "`)`",
    "_DOLLAR": "`$`",
    "$END": "the end of the rule",
}

_HINTS = {
    '"': "a text stands in single quotes",
    "\u2018": "use straight single quotes (')",
    "\u2019": "use straight single quotes (')",
    "\u201c": "use straight single quotes (')",
    "\u201d": "use straight single quotes (')",
    "'": "this text has no closing quote; a quote inside a text is written twice ('')",
    ",": "numbers are written without separators: 1500",
    ";": "a rule is one condition; join several with AND and OR",
}


class RuleError(ConfigError):
    """A rule is wrong: names file, line and column, what was expected, and the nearest name.

    Attributes:
        column: where in its line of the rule, from 1.
        expected: what could have stood there.
        nearest: the known name that was probably meant.
    """

    def __init__(
        self,
        path: Path | str,
        line: int,
        column: int,
        message: str,
        expected: Iterable[str] = (),
        nearest: str | None = None,
    ) -> None:
        super().__init__(path, line, message)
        self.column, self.expected, self.nearest = column, tuple(expected), nearest
        text = f"{self.path}:{line}: rule, column {column}: {message}"
        if self.expected:
            text += f"; expected {_either(self.expected)}"
        if nearest:
            text += f" (did you mean '{nearest}'?)"
        self.args = (text,)


@dataclass(frozen=True)
class Place:
    """Where a rule is written.

    Attributes:
        path: the file.
        line: the line on which the rule's text begins.
        block: whether lines of the rule are lines of the file.
    """

    path: Path
    line: int = 1
    block: bool = True

    def line_of(self, line_in_rule: int) -> int:
        """The line of the file that a line of the rule stands on."""
        return self.line + line_in_rule - 1 if self.block else self.line


def parse_rule(
    text: str, catalogue: Catalogue, base_currency: str, place: Place | None = None
) -> Rule:
    """Read and check a rule.

    Args:
        text: the rule.
        catalogue: the traits that it may compare.
        base_currency: the one currency in which amounts are compared.
        place: where it is written, for errors.

    Raises:
        RuleError: it is no rule, names what is not known, compares what cannot be compared, or is
            longer, deeper or wider than allowed.
    """
    place = place or Place(Path("rule"))
    if len(text) > MAX_CHARACTERS:
        raise RuleError(
            place.path,
            place.line,
            MAX_CHARACTERS + 1,
            f"the rule has {len(text):,} characters; the most is {MAX_CHARACTERS:,}",
        )
    try:
        _check_budgets(text, place)
        tree = _parser().parse(text)
    except (UnexpectedCharacters, UnexpectedEOF, UnexpectedToken) as error:
        raise _syntax_error(text, error, place) from None
    try:
        return cast(Rule, _Typed(catalogue, base_currency, place).transform(tree))
    except VisitError as error:
        if isinstance(error.orig_exc, RuleError):
            raise error.orig_exc from None
        raise


@cache
def _parser() -> Lark:
    # LALR keeps its own stack, so no rule can exhaust Python's.
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _check_budgets(text: str, place: Place) -> None:
    """Count before anything is built: what walks the tree later may then recurse."""
    terms, opened, negations = 1, 0, 0
    # Whether each open bracket was entered under NOTs, which end where it closes.
    held: list[int] = []
    for token in _parser().lex(text):
        if token.type in ("_AND", "_OR"):
            terms += 1
            negations = held[-1] if held else 0
        elif token.type == "_NOT":
            negations += 1
        elif token.type == "_OPEN":
            opened += 1
            held.append(negations)
        elif token.type == "_CLOSE" and held:
            opened -= 1
            held.pop()
            negations = held[-1] if held else 0
        if terms > MAX_TERMS:
            message = f"the rule has more than {MAX_TERMS} conditions"
        elif opened + negations > MAX_DEPTH:
            message = f"brackets and NOTs stand more than {MAX_DEPTH} deep in one another"
        else:
            continue
        raise _at(place, token, message)


def _at(
    place: Place,
    token: Token,
    message: str,
    expected: Iterable[str] = (),
    nearest: str | None = None,
) -> RuleError:
    line = place.line_of(token.line or 1)
    return RuleError(place.path, line, token.column or 1, message, expected, nearest)


def _syntax_error(
    text: str,
    error: UnexpectedCharacters | UnexpectedEOF | UnexpectedToken,
    place: Place,
) -> RuleError:
    if isinstance(error, UnexpectedCharacters):
        character = text[error.pos_in_stream or 0]
        shown = f"'{character}'" if character.isprintable() else f"character {ord(character)}"
        message = f"{shown} cannot stand here"
        if character in _HINTS:
            message += f": {_HINTS[character]}"
        return RuleError(place.path, place.line_of(error.line), error.column, message)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        token = error.token
        expected = _expected(error.accepts or error.expected)
        nearest = _nearest(str(token), ("within", "since", "did", "seen", "and", "or", "not"))
        if token.type != "NAME":
            nearest = None
        return _at(place, token, f"'{_shortened(str(token))}' cannot stand here", expected, nearest)
    names = error.accepts or error.expected if isinstance(error, UnexpectedToken) else ()
    lines = text.split("\n")
    message = "the rule ends too early" if text.strip() else "the rule is empty"
    return RuleError(
        place.path,
        place.line_of(len(lines)),
        len(lines[-1]) + 1,
        message,
        _expected(names),
    )


def _expected(names: Iterable[str]) -> list[str]:
    known = set(names)
    return [words for name, words in _READABLE.items() if name in known]


def _either(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(name.lower(), list(known), 1)
    return found[0] if found else None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


@dataclass(frozen=True)
class _Amount:
    """A constant as it was written, before it is known what it is compared with."""

    value: Decimal | str
    currency: str | None
    token: Token


class _Typed(Transformer[Token, Any]):
    """Builds the typed tree from the bottom up."""

    def __init__(self, catalogue: Catalogue, base_currency: str, place: Place) -> None:
        super().__init__()
        self._catalogue, self._base_currency, self._place = catalogue, base_currency, place

    def any_of(self, rules: list[Rule]) -> Rule:
        return Or(_flat(Or, rules))

    def all_of(self, rules: list[Rule]) -> Rule:
        return And(_flat(And, rules))

    def negation(self, rules: list[Rule]) -> Rule:
        return Not(rules[0])

    @v_args(inline=True)
    def number(self, token: Token) -> _Amount:
        return _Amount(self._decimal(token), None, token)

    @v_args(inline=True)
    def money(self, token: Token, currency: Token) -> _Amount:
        code = str(currency).upper()
        if code != self._base_currency:
            raise self._wrong_currency(currency, code)
        return _Amount(self._decimal(token), code, token)

    @v_args(inline=True)
    def dollars(self, token: Token) -> _Amount:
        if self._base_currency != "USD":
            raise self._wrong_currency(token, "USD")
        return _Amount(self._decimal(token), "USD", token)

    @v_args(inline=True)
    def text(self, token: Token) -> _Amount:
        return _Amount(_unquoted(token), None, token)

    @v_args(inline=True)
    def window(self, number: Token, unit: Token) -> Window:
        if "." in number or "-" in number or len(number) > 9 or int(number) < 1:
            raise _at(self._place, number, "a window is a whole number from 1")
        minutes = int(number) * _UNITS[str(unit).lower().removesuffix("s")]
        if minutes > MAX_WINDOW_MINUTES:
            raise _at(self._place, number, "a window is at most 36525 days (100 years) long")
        return Window(minutes)

    @v_args(inline=True)
    def comparison(self, name: Token, operator: Token, amount: _Amount) -> Rule:
        trait = self._trait(name)
        written = cast(Operator, str(operator))
        if trait.kind == "moment":
            raise _at(
                self._place,
                operator,
                f"{trait.name} is a moment",
                [f"`{trait.name} within 30 days`"],
            )
        is_text = isinstance(amount.value, str)
        if trait.kind == "text":
            if not is_text:
                raise self._wrong_kind(amount, trait, "a text in single quotes")
            if written not in ("=", "!="):
                raise _at(self._place, operator, f"{trait.name} is a text", ["=", "!="])
        elif is_text:
            kind = "a number" if trait.kind == "number" else f"an amount in {self._base_currency}"
            raise self._wrong_kind(amount, trait, kind)
        elif trait.kind == "number" and amount.currency:
            raise self._wrong_kind(amount, trait, "a number without a currency")
        return Comparison(trait, written, amount.value)

    @v_args(inline=True)
    def date_within(self, name: Token, window: Window) -> Rule:
        trait = self._trait(name)
        if trait.kind != "moment":
            moments = sorted(each.name for each in self._catalogue.values() if _is_moment(each))
            raise _at(
                self._place,
                name,
                f"{trait.name} is a {trait.kind}, and only a moment can be `within` a window",
                moments,
            )
        return DateWithin(trait, window)

    @v_args(inline=True)
    def seen_within(self, which: Token, window: Window) -> Rule:
        name = f"{str(which).lower()}_seen"
        if name not in self._catalogue:
            raise _at(self._place, which, f"the trait catalogue has no {name}")
        return DateWithin(self._catalogue[name], window)

    @v_args(inline=True)
    def did_within(self, name: Token, window: Window) -> Rule:
        return DidWithin(self._event(name), window)

    @v_args(inline=True)
    def did_since(self, name: Token, last: Token, since: Token) -> Rule:
        del last
        return DidSince(self._event(name), self._event(since))

    def _trait(self, token: Token) -> Trait:
        name = str(token).lower()
        if name not in self._catalogue:
            raise _at(
                self._place,
                token,
                f"unknown trait '{_shortened(str(token))}'",
                nearest=_nearest(name, self._catalogue),
            )
        return self._catalogue[name]

    def _event(self, token: Token) -> Event:
        event = Event(_unquoted(token))
        if not event.key:
            raise _at(self._place, token, "the name of an event is empty")
        if len(event.name) > 200:
            raise _at(self._place, token, "the name of an event has at most 200 characters")
        return event

    def _decimal(self, token: Token) -> Decimal:
        whole, _, fraction = str(token).lstrip("-").partition(".")
        if len(whole) > 14 or len(fraction) > 4:
            raise _at(
                self._place,
                token,
                "a number has at most 14 digits before the point and 4 after it",
            )
        return Decimal(str(token))

    def _wrong_currency(self, token: Token, code: str) -> RuleError:
        return _at(
            self._place,
            token,
            f"{code} is not the base currency, in which amounts are compared",
            [self._base_currency],
        )

    def _wrong_kind(self, amount: _Amount, trait: Trait, expected: str) -> RuleError:
        kind = "an amount" if trait.kind == "money" else f"a {trait.kind}"
        return _at(self._place, amount.token, f"{trait.name} is {kind}", [expected])


def _is_moment(trait: Trait) -> bool:
    return trait.kind == "moment"


def _flat(kind: type[And] | type[Or], rules: list[Rule]) -> tuple[Rule, ...]:
    """Rules of the same connective, brackets between them gone: they change nothing."""
    found: list[Rule] = []
    for each in rules:
        found.extend(each.rules if isinstance(each, And | Or) and type(each) is kind else (each,))
    return tuple(found)


def _unquoted(token: Token) -> str:
    return str(token)[1:-1].replace("''", "'")
