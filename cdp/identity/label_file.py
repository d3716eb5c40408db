"""Labels from a file: CSV, as a review hands them over, in the form of the seed `identity_labels`.

Belongs here: what the rows of such a file say, and telling all that are wrong. Does not belong
here: the form of a row (`cdp.config.label_rows`), whether the identifiers are known and the labels
can be in force (whoever takes them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp.config.label_rows import NoLabels, read_label_rows
from cdp.identity.identifiers import Identifier
from cdp.identity.labels import Claim, LabelRefused

_SHOWN = 10
"""Wrong rows that are told; who wrote the file sees the pattern by then."""


class WrongFile(ValueError):
    """A file of labels is not right: says where and what was expected, and no value."""

    def __init__(self, path: Path, problems: Sequence[tuple[int, str]]) -> None:
        told = [f"line {line}: {problem}" for line, problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            told.append(f"and {len(problems) - _SHOWN} more wrong rows")
        super().__init__(f"{path}: {'; '.join(told)}; no label was taken")


@dataclass(frozen=True)
class FileRow:
    """One row of the file, whose identifiers nobody has looked up yet."""

    line: int
    claim: Claim
    author: str
    reason: str


def read_labels(path: Path) -> tuple[list[FileRow], list[tuple[int, str]]]:
    """The rows of a file, and the wrong ones by their lines with what was expected.

    Raises:
        WrongFile: it has other columns, or is no CSV in UTF-8.
        OSError: it cannot be read.
    """
    try:
        rows, problems = read_label_rows(path)
    except NoLabels as error:
        raise WrongFile(path, [(error.line, error.problem)]) from error
    return [
        FileRow(
            row.line,
            Claim(row.kind, *(Identifier(kind, value) for _, kind, value in row.ends)),
            row.author,
            row.reason,
        )
        for row in rows
    ], problems


def contradiction(error: LabelRefused, lines: Mapping[int, int]) -> str:
    """What a row of a file contradicts: labels as they are called, other rows by their lines.

    Args:
        lines: the lines of the rows that stand already, by the numbers that they have so far.
    """
    if not error.against:
        return str(error)
    told = [
        f"line {lines[label.number]}"
        if label.origin is None and label.number in lines
        else label.called
        for label in error.against
    ]
    return f"it contradicts {', '.join(told)}: {error.why}"
