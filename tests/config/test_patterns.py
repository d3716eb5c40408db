"""A pattern is taken if every engine reads it alike."""

from __future__ import annotations

import re

import pytest

from cdp.config.patterns import NoPattern, check_pattern
from tests.engines.odd_values import PATTERNS


@pytest.mark.parametrize(
    "pattern",
    [
        *PATTERNS,
        "(?i)^(?:a|b)+@",
        r"^[^\]\[]{2,3}$",
        r"a{2}b{3,}",
        r"\.\{\d\}\bx",
        "[(?*+{]",
        "a?b*c+",
    ],
)
def test_what_engines_read_alike_is_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "missing )"),
        ("[z-a]", "range"),
        ("(?=a)", "invalid"),
        (r"(a)\1", "invalid"),
        ("a(?i)b", "'(?i)' in front"),
        ("(?P<name>a)", "have '(?:' alone in common"),
        (r"\pL", r"not every engine has '\p'"),
        (r"\Aa\z", r"not every engine has '\A'"),
        ("a+?", "'?' behind a repetition"),
        ("a{2}?", "'?' behind a repetition"),
        ("[[:alpha:]]", r"write '\['"),
        ("[a&&b]", r"write '\&'"),
        ("[]a]", r"write '\]'"),
        ("[^]a]", r"write '\]'"),
        ("a{b", r"write '\{'"),
    ],
)
def test_what_they_do_not_is_told(pattern: str, told: str) -> None:
    with pytest.raises(NoPattern, match=re.escape(told)):
        check_pattern(pattern)
