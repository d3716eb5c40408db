"""What the tests of matching share: models from their text, records from rows, how well pairs fit.

Belongs here: reading the public data sets for matching, and measuring. Does not belong here: any
test, any model.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from cdp.config.matching import MatchingModel, read_matching
from cdp.config.yaml_text import parse_yaml
from tests.services.real_data import DataSets

SOURCE = "people"


def model_of(
    text: str, attributes: Collection[str], sources: Collection[str] = (SOURCE,)
) -> MatchingModel:
    """The one model that the text of a `matching.yml` declares."""
    models = read_matching(parse_yaml(text, Path("matching.yml")), sources, attributes)
    (model,) = models.values()
    return model


def records_of(rows: Sequence[Mapping[str, str | None]], attributes: Sequence[str]) -> pa.Table:
    """Records of one source, numbered in the order of the rows."""
    return pa.table(
        {
            "node": pa.array(range(len(rows)), pa.int64()),
            "source": pa.array([SOURCE] * len(rows), pa.string()),
            **{name: pa.array([row[name] for row in rows], pa.string()) for name in attributes},
        }
    )


def people(data: DataSets, name: str) -> tuple[pa.Table, list[str]]:
    """One of the data sets of people: its records, and of each the person it is of."""
    with (data / f"people/{name}.csv").open(encoding="utf-8") as file:
        rows = [
            {key.strip(): (value or "").strip() or None for key, value in row.items()}
            for row in csv.DictReader(file)
        ]
    if name.startswith("febrl"):
        persons = [re.sub(r"-(org|dup-\d+)$", "", row["rec_id"] or "") for row in rows]
        answers = {"rec_id", "soc_sec_id"}
    else:
        persons = [row["cluster"] or "" for row in rows]
        answers = {"unique_id", "cluster"}
    return records_of(rows, [each for each in rows[0] if each not in answers]), persons


class Fit(NamedTuple):
    """How well pairs fit who is who."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    def __str__(self) -> str:
        return f"precision {self.precision:.4f} recall {self.recall:.4f} F1 {self.f1:.4f}"


def pairs_of(labels: Iterable[Hashable]) -> int:
    """How many pairs have the same label."""
    return sum(each * (each - 1) // 2 for each in Counter(labels).values())


def fit_of_pairs(
    probabilities: Mapping[tuple[int, int], float], persons: Sequence[str], least: float
) -> Fit:
    """How well the pairs from a probability on fit."""
    taken = [pair for pair, each in probabilities.items() if each >= least]
    right = sum(persons[one] == persons[other] for one, other in taken)
    return Fit(right / max(len(taken), 1), right / pairs_of(persons))


def fit_of_groups(groups: Sequence[int], persons: Sequence[str]) -> Fit:
    """How well groups of records fit, over all pairs."""
    right = pairs_of(zip(groups, persons, strict=True))
    return Fit(right / max(pairs_of(groups), 1), right / pairs_of(persons))


def probabilities_of(candidates: pa.Table) -> dict[tuple[int, int], float]:
    """The probability of each pair of candidates."""
    pairs = zip(
        candidates["left_node"].to_pylist(), candidates["right_node"].to_pylist(), strict=True
    )
    return dict(zip(pairs, candidates["probability"].to_pylist(), strict=True))
