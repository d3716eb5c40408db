"""From the typed tree of a rule to an English sentence.

Belongs here: the words. Does not belong here: what a rule means (`tree`, `compiling`).
"""

from __future__ import annotations

from decimal import Decimal

from cdp.segmentation.tree import (
    And,
    Comparison,
    Condition,
    DateWithin,
    DidSince,
    DidWithin,
    Not,
    Or,
    Rule,
    Window,
)

_OPERATORS = {
    "=": "is",
    "!=": "is other than",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
}


def sentence(rule: Rule, base_currency: str) -> str:
    """Say in English whom a rule takes in.

    Groups inside one another are bracketed, so that the sentence can be read in one way only.
    """
    return f"People {_clause(rule, base_currency)}."


def _clause(rule: Rule, currency: str) -> str:
    match rule:
        case Not(inner):
            if isinstance(inner, And | Or | Not):
                return f"not [{_clause(inner, currency)}]"
            return _condition(inner, currency, negated=True)
        case And(rules):
            return " and ".join(_grouped(each, currency) for each in rules)
        case Or(rules):
            return " or ".join(_grouped(each, currency) for each in rules)
        case _:
            return _condition(rule, currency, negated=False)


def _grouped(rule: Rule, currency: str) -> str:
    clause = _clause(rule, currency)
    return f"[{clause}]" if isinstance(rule, And | Or) else clause


def _condition(rule: Condition, currency: str, negated: bool) -> str:
    match rule:
        case Comparison(trait, operator, value):
            said = _OPERATORS[operator]
            verb = said.replace("is", "is not", 1) if negated else said
            return f"whose {trait.label} {verb} {_value(value, trait.kind == 'money', currency)}"
        case DateWithin(trait, window):
            verb = "was not" if negated else "was"
            if trait.name in ("first_seen", "last_seen"):
                verb = "were not" if negated else "were"
                return f"who {verb} {trait.name.replace('_', ' ')} within {_window(window)}"
            return f"whose {trait.label} {verb} within {_window(window)}"
        case DidWithin(event, window):
            verb = "did not do" if negated else "did"
            return f"who {verb} '{event.name}' within {_window(window)}"
        case DidSince(event, since):
            verb = "did not do" if negated else "did"
            return f"who {verb} '{event.name}' since their last '{since.name}'"


def _window(window: Window) -> str:
    amount, unit = window.spelled()
    return f"the last {unit}" if amount == 1 else f"the last {amount} {unit}s"


def _value(value: Decimal | str, is_money: bool, currency: str) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return f"{value:,f} {currency}" if is_money else f"{value:,f}"
