"""From the typed tree of a rule to SQL.

Belongs here: the verdict and the moment of its next change, as sqlglot expressions over three
relations: `profiles` (the traits), `features` (last events) and `current_run` (`as_of`). Values
get into SQL as sqlglot literals alone. Does not belong here: the models around the expressions
(`generation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlglot import exp

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
    conditions,
)

NEVER = "9999-12-31"
"""Stands for no moment among moments that are compared."""

_OPERATORS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}


def verdict(rule: Rule) -> exp.Expr:
    """Whether a profile is in the segment: true or false, never null."""
    match rule:
        case Not(inner):
            return exp.Not(this=exp.Paren(this=verdict(inner)))
        case And(rules):
            return _joined(exp.And, [_bracketed(each) for each in rules])
        case Or(rules):
            return _joined(exp.Or, [_bracketed(each) for each in rules])
        case _:
            return exp.Coalesce(this=_condition(rule), expressions=[exp.false()])


def next_flip(rules: Iterable[Rule]) -> exp.Expr:
    """The earliest moment after `as_of` at which time alone can change a verdict; null for never.

    A value leaves its window when the window's length has passed since. It enters one by time alone
    when it lies ahead: an event that is still to come is no event yet, but a trait may say when
    something will be.
    """
    return _first_after_as_of(_window_ends(rules))


def next_evaluation(rules: Iterable[Rule]) -> exp.Expr:
    """When a profile's verdicts have to be decided again though nothing lands; null for never.

    That is the next flip, or before it the moment at which a trait or a last event changes by
    itself. The verdicts keep that moment beside the profile, which has it too: a run that is cut
    off between the two has moved the profile's on, and only theirs still tells the next run.
    """
    return _first_after_as_of([exp.column("next_change_at", "profiles"), *_window_ends(rules)])


def _window_ends(rules: Iterable[Rule]) -> list[exp.Expr]:
    windows: dict[tuple[str, str, int], exp.Expr] = {}
    for rule in rules:
        for each in conditions(rule):
            if isinstance(each, DateWithin | DidWithin):
                column = _moment(each)
                key = (column.table, column.name, each.window.minutes)
                windows[key] = _end(column, each.window)
                if isinstance(each, DateWithin):
                    # A trait may hold a moment to come, such as the end of a contract.
                    windows[column.table, column.name, -1] = column.copy()
    return [end for _, end in sorted(windows.items(), key=lambda item: item[0])]


def _first_after_as_of(moments: Sequence[exp.Expr]) -> exp.Expr:
    if not moments:
        return exp.cast(exp.null(), "timestamp")
    ends = [
        exp.func(
            "COALESCE", exp.Case().when(exp.GT(this=each, expression=_as_of()), each), _never()
        )
        for each in moments
    ]
    # No end is null, so engines agree about LEAST; sqlglot's own would write the nulls out.
    earliest = ends[0] if len(ends) == 1 else exp.Anonymous(this="LEAST", expressions=ends)
    return exp.func("NULLIF", earliest, _never())


def _condition(rule: Condition) -> exp.Expr:
    match rule:
        case Comparison(trait, operator, value):
            return _OPERATORS[operator](
                this=exp.column(trait.column, "profiles"), expression=_literal(value)
            )
        case DateWithin(_, window) | DidWithin(_, window):
            column = _moment(rule)
            return exp.And(
                this=exp.GT(
                    this=column,
                    expression=exp.Sub(this=_as_of(), expression=_interval(window)),
                ),
                expression=exp.LTE(this=column.copy(), expression=_as_of()),
            )
        case DidSince(event, since):
            ours, theirs = event.column, since.column
            return exp.Or(
                this=exp.GT(
                    this=exp.column(f"{ours}_at", "features"),
                    expression=exp.column(f"{theirs}_at", "features"),
                ),
                expression=exp.Paren(
                    this=exp.And(
                        this=exp.EQ(
                            this=exp.column(f"{ours}_at", "features"),
                            expression=exp.column(f"{theirs}_at", "features"),
                        ),
                        expression=exp.GT(
                            this=exp.column(f"{ours}_number", "features"),
                            expression=exp.column(f"{theirs}_number", "features"),
                        ),
                    )
                ),
            )


def _moment(rule: DateWithin | DidWithin) -> exp.Column:
    if isinstance(rule, DateWithin):
        return exp.column(rule.trait.column, "profiles")
    return exp.column(f"{rule.event.column}_at", "features")


def _as_of() -> exp.Column:
    return exp.column("as_of", "current_run")


def _never() -> exp.Expr:
    return exp.cast(exp.Literal.string(NEVER), "timestamp")


def _end(column: exp.Column, window: Window) -> exp.Expr:
    return exp.Add(this=column, expression=_interval(window))


def _interval(window: Window) -> exp.Interval:
    amount, unit = window.spelled()
    return exp.Interval(this=exp.Literal.string(str(amount)), unit=exp.var(unit.upper()))


def _literal(value: Decimal | str) -> exp.Expr:
    if isinstance(value, str):
        return exp.Literal.string(value)
    number: exp.Expr = exp.Literal.number(format(abs(value), "f"))
    if value < 0:
        number = exp.Neg(this=number)
    # Engines that read 0.5 as a float would compare an amount with something near it.
    whole = value == value.to_integral_value()
    return number if whole and "." not in format(value, "f") else exp.cast(number, "decimal(18, 4)")


def _bracketed(rule: Rule) -> exp.Expr:
    compiled = verdict(rule)
    return exp.Paren(this=compiled) if isinstance(rule, And | Or) else compiled


def _joined(connective: type[exp.And] | type[exp.Or], parts: Sequence[exp.Expr]) -> exp.Expr:
    """A balanced tree, so that a wide rule is not a deep expression."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return connective(
        this=_joined(connective, parts[:middle]),
        expression=_joined(connective, parts[middle:]),
    )
