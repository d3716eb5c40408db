"""A matching model in Splink's words.

Belongs here: which class of Splink's comparison library each kind is, rules on which pairs agree.
Does not belong here: learning, scoring. Nothing of a model's file gets into SQL but names of
attributes, which are letters, digits and underscores, and numbers.

Splink is imported by who needs it: it takes half a second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cdp.config.matching import Kind, MatchingModel
from cdp.config.matching_terms import Cut, read_cut
from cdp.identity.matching.preparing import SOURCE, UID, value_column

if TYPE_CHECKING:
    from splink import SettingsCreator

WITH_FREQUENCIES: frozenset[Kind] = frozenset({"name", "exact", "email", "postcode", "handle"})
"""Kinds of which an agreement on something rare says more."""

DISTINCTIVE = 7
"""From how many signs on a handle is hardly taken twice."""


def settings_of(model: MatchingModel) -> SettingsCreator:
    """What Splink has to know of a model before anything is learned."""
    from splink import SettingsCreator, block_on

    return SettingsCreator(
        link_type="link_only" if model.between else "dedupe_only",
        unique_id_column_name=UID,
        source_dataset_column_name=SOURCE,
        comparisons=[_comparison(name, kind) for name, kind in model.compare.items()],
        # Pairs are found by `blocking`; Splink wants a rule all the same.
        blocking_rules_to_generate_predictions=[block_on(UID)],
        # Without one, Splink makes one up, and the same parameters would look different.
        linker_uid="matching",
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Splink's advice to people at a notebook out of the logs of a run."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def agreement_sql(rule: tuple[str, ...], guard: str) -> str:
    """The condition that two records agree on all of a rule, and that what they agree on is not
    everybody's (`guard`, a column that says so)."""
    keys = [key_sql(read_cut(each)) for each in rule]
    agree = [f"{key.format(table='l')} = {key.format(table='r')}" for key in keys]
    return " AND ".join([*agree, f"l.{guard}", f"r.{guard}"])


def key_sql(cut: Cut) -> str:
    """The SQL of what is looked for by, with `{table}` for the row's alias."""
    column = f"{{table}}.{value_column(cut.attribute)}"
    if cut.letters is None:
        return column
    if cut.letters > 0:
        return f"substr({column}, 1, {cut.letters})"
    return f"substr({column}, {cut.letters})"


def _comparison(attribute: str, kind: Kind) -> Any:
    import splink.comparison_library as cl

    column = value_column(attribute)
    if kind == "name":
        return cl.NameComparison(column)
    if kind == "exact":
        return cl.ExactMatch(column).configure(term_frequency_adjustments=True)
    if kind == "email":
        return cl.EmailComparison(column)
    if kind == "date":
        return cl.DateOfBirthComparison(column, input_is_string=True, datetime_format="%Y-%m-%d")
    if kind == "phone":
        return cl.DamerauLevenshteinAtThresholds(column, 1)
    if kind == "postcode":
        return cl.DamerauLevenshteinAtThresholds(column, 1).configure(
            term_frequency_adjustments=True
        )
    if kind == "text":
        return cl.JaroWinklerAtThresholds(column, [0.92, 0.8])
    return _handle(column)


def _handle(column: str) -> Any:
    import splink.comparison_level_library as cll
    import splink.comparison_library as cl

    distinctive = cll.CustomLevel(
        f"length({column}_l) >= {DISTINCTIVE} OR regexp_matches({column}_l, '[0-9]')"
    )
    return cl.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            cll.NullLevel(column),
            cll.And(cll.ExactMatchLevel(column), distinctive).configure(
                label_for_charts="Exact match, distinctive",
                tf_adjustment_column=column,
                disable_tf_exact_match_detection=True,
            ),
            cll.ExactMatchLevel(column, term_frequency_adjustments=True),
            cll.ElseLevel(),
        ],
    )
