"""Rows of labels as people hand them over: CSV, the form of the seed `identity_labels`.

Belongs here: the columns, the kinds, and what must stand in a row whatever it speaks of. Does not
belong here: which identifiers there are, and what contradicts (`cdp.identity`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["join", "split", "trust", "distrust"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OF_TWO: tuple[Kind, ...] = ("join", "split")
"""The kinds that speak of two identifiers; the others speak of one."""

COLUMNS = ("kind", "left_type", "left_value", "right_type", "right_value", "author", "reason")


class NoLabels(ValueError):
    """A file has other columns, or is no CSV in UTF-8.

    Attributes:
        line: where.
        problem: what was expected.
    """

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(problem)


@dataclass(frozen=True)
class LabelRow:
    """One row: `right_type` and `right_value` are empty where the kind speaks of one."""

    line: int
    kind: Kind
    left_type: str
    left_value: str
    right_type: str
    right_value: str
    author: str
    reason: str

    @property
    def ends(self) -> tuple[tuple[str, str, str], ...]:
        """Side, type and value of each identifier that it speaks of."""
        left = ("left", self.left_type, self.left_value)
        right = ("right", self.right_type, self.right_value)
        return (left, right) if self.kind in OF_TWO else (left,)


def read_label_rows(path: Path) -> tuple[list[LabelRow], list[tuple[int, str]]]:
    """The rows of a file, and the wrong ones by their lines with what was expected.

    Raises:
        NoLabels: it has other columns, or is no CSV in UTF-8.
        OSError: it cannot be read.
    """
    rows: list[LabelRow] = []
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
                        raise NoLabels(1, f"expected the columns {','.join(COLUMNS)}")
                elif cells:
                    yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            raise NoLabels(begins, f"no CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise NoLabels(begins, "expected text in UTF-8") from error
        if begins == 1:
            raise NoLabels(1, f"expected the columns {','.join(COLUMNS)}")


def _row(line: int, cells: list[str]) -> LabelRow:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"expected {len(COLUMNS)} cells, found {len(cells)}")
    told = dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=True))
    kind = _kind(told.pop("kind"))
    needed = ["left_type", "left_value", "author", "reason"]
    needed += ["right_type", "right_value"] if kind in OF_TWO else []
    for column in COLUMNS:
        if column in needed and not told[column]:
            raise ValueError(f"expected something in {column}, found nothing")
    if kind not in OF_TWO and (told["right_type"] or told["right_value"]):
        raise ValueError(
            f"expected right_type and right_value to be empty, as {kind} speaks of one"
        )
    return LabelRow(line, kind, **told)


def _kind(name: str) -> Kind:
    found: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind == name)
    if not found:
        raise ValueError(f"expected kind to be one of {', '.join(KINDS)}")
    return found[0]
