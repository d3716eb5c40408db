"""Labels from a file: CSV, as a review hands them over, in the form of the seed `identity_labels`.

Belongs here: reading such a file, and saying of each wrong row what was expected. Does not belong
here: whether the identifiers are known and the labels can be in force (whoever takes them).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from cdp.identity.identifiers import Identifier
from cdp.identity.labels import KINDS, OF_TWO, Claim, Kind

COLUMNS = ("kind", "left_type", "left_value", "right_type", "right_value", "author", "reason")

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
    rows: list[FileRow] = []
    problems: list[tuple[int, str]] = []
    for line, cells in _lines(path):
        try:
            rows.append(_row(line, cells))
        except ValueError as error:
            problems.append((line, str(error)))
    return rows, problems


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line that it begins on; the header is checked."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        begins = 1
        try:
            for cells in reader:
                if begins == 1:
                    if tuple(cell.strip() for cell in cells) != COLUMNS:
                        raise WrongFile(path, [(1, f"expected the columns {','.join(COLUMNS)}")])
                elif cells:
                    yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            raise WrongFile(path, [(begins, f"no CSV: {error}")]) from error
        except UnicodeDecodeError as error:
            raise WrongFile(path, [(begins, "expected text in UTF-8")]) from error
        if begins == 1:
            raise WrongFile(path, [(1, f"expected the columns {','.join(COLUMNS)}")])


def _row(line: int, cells: list[str]) -> FileRow:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"expected {len(COLUMNS)} cells, found {len(cells)}")
    told = dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=True))
    kind = _kind(told["kind"])
    needed = ["left_type", "left_value", "author", "reason"]
    needed += ["right_type", "right_value"] if kind in OF_TWO else []
    for column in COLUMNS:
        if column in needed and not told[column]:
            raise ValueError(f"expected something in {column}, found nothing")
    if kind not in OF_TWO and (told["right_type"] or told["right_value"]):
        raise ValueError(
            f"expected right_type and right_value to be empty, as {kind} speaks of one"
        )
    right = Identifier(told["right_type"], told["right_value"]) if kind in OF_TWO else None
    claim = Claim(kind, Identifier(told["left_type"], told["left_value"]), right)
    return FileRow(line, claim, told["author"], told["reason"])


def _kind(name: str) -> Kind:
    found: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind == name)
    if not found:
        raise ValueError(f"expected kind to be one of {', '.join(KINDS)}")
    return found[0]
