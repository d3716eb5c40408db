"""The labels of the seed are what people write, and cannot contradict each other unseen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from cdp.identity.identifiers import Identifier
from cdp.identity.label_file import read_labels
from cdp.identity.label_record import recorded
from cdp.identity.labelling import take, take_file
from cdp.identity.labels import Claim, Label, LabelRefused, SaidAlready, in_force
from cdp.identity.seed_labels import loaded, overruled, seed_labels
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

HEADER = "kind,left_type,left_value,right_type,right_value,author,reason"
NOON = datetime(2026, 7, 1, 12)
ANNA = Identifier("email", "anna@x.example")
BO = Identifier("email", "bo@x.example")
NUMBER = Identifier("phone", "+4915123456789")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "config" / "seeds").mkdir(parents=True)
    return load_settings(home=tmp_path / "home", config=tmp_path / "config", default_country="DE")


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    """One that knows the shipped rules, and in which nothing has landed."""
    with open_warehouse(settings) as held:
        held.execute(
            "CREATE TABLE staging.identifier_types (identifier_type VARCHAR, normaliser VARCHAR);"
            "CREATE TABLE identity.int_identifier_values (identifier_type VARCHAR, "
            "raw_value VARCHAR, identifier_value VARCHAR)"
        )
        rules = [("email", "email"), ("phone", "phone"), ("*", "exact")]
        held.insert("staging.identifier_types", rules)
        yield held


def write(settings: Settings, *rows: str) -> Path:
    path = settings.config / "seeds" / "identity_labels.csv"
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path


def test_a_label_names_values_as_people_write_them(settings: Settings) -> None:
    write(settings, "join,email,Anna@X.example,phone,0151 23456789,ada,she told us")
    found = seed_labels(settings)
    assert found.problems == ()
    (label,) = found.labels
    assert label.claim == Claim("join", ANNA, NUMBER)
    assert (label.author, label.reason, label.origin) == (
        "ada",
        "she told us",
        "identity_labels.csv:2",
    )


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("distrust,phone,12,,,ada,why", "left_value: the value is none that a phone can have"),
        ("join,email,ANNA@x.example,email,anna@X.example,ada,why", "both identifiers are the same"),
        ("split,phone,+49 151 23456789,email,anna@x.example,ada,why", "it contradicts"),
        ("join,email,Anna@x.example,phone,015123456789,bo,again", "says the same already"),
        ("distrust,email,anna@x.example,,,ada,why", "said to be one person's with another"),
    ],
)
def test_what_cannot_be_so_is_told_with_its_line_and_the_other_one(
    settings: Settings, row: str, told: str
) -> None:
    write(settings, "join,email,anna@x.example,phone,0151 23456789,ada,she told us", row)
    found = seed_labels(settings)
    assert len(found.labels) == 1
    ((line, problem),) = found.problems
    assert line == 3
    assert told in problem
    if "contradicts" in problem:
        assert "identity_labels.csv:2" in problem
    assert "anna" not in problem.lower()


def test_what_was_recorded_holds_against_the_seed(settings: Settings) -> None:
    write(settings, "join,email,Anna@x.example,email,bo@x.example,ada,why", "trust,email,c@x,,,a,b")
    said = Label(4, Claim("split", BO, ANNA), "bo", "two sisters", NOON)
    ((label, why),) = overruled(seed_labels(settings).labels, [said])
    assert label.origin == "identity_labels.csv:2"
    assert why.startswith("it contradicts label 4: ")


def test_a_new_label_stands_against_the_seed_too(settings: Settings, warehouse: Warehouse) -> None:
    write(settings, "join,email,Anna@x.example,email,bo@x.example,ada,why")
    said = {"author": "bo", "reason": "why"}
    both = ("email:anna@x.example", "email:BO@x.example")
    with pytest.raises(LabelRefused, match=r"it contradicts identity_labels\.csv:2: .*the seed"):
        take(warehouse, "split", both, unseen=True, **said)
    with pytest.raises(SaidAlready, match=r"identity_labels\.csv:2 says the same already"):
        take(warehouse, "join", both, unseen=True, **said)
    assert recorded(warehouse) == []


def test_importing_the_rows_of_the_seed_says_nothing_new(
    settings: Settings, warehouse: Warehouse
) -> None:
    path = write(
        settings,
        "join,email,Anna@x.example,phone,0151 23456789,ada,why",
        "distrust,email,till@x.example,,,ada,why",
    )
    taken = take_file(warehouse, path, *read_labels(path), unseen=True)
    assert (taken.known, list(taken.labels)) == (2, [])
    # Once the seed has lost them, they are new.
    write(settings)
    path = path.with_name("review.csv")
    path.write_text(f"{HEADER}\ndistrust,email,Till@x.example,,,ada,why\n", encoding="utf-8")
    taken = take_file(warehouse, path, *read_labels(path), unseen=True)
    assert (taken.known, len(taken.labels)) == (0, 1)
    assert len(in_force(recorded(warehouse))) == 1


def test_only_rows_that_a_run_has_loaded_have_made_anything(
    settings: Settings, warehouse: Warehouse
) -> None:
    write(
        settings,
        "join,email,Anna@x.example,email,bo@x.example,ada,why",
        "distrust,email,till@x.example,,,ada,why",
        "trust,email,c@x.example,,,ada,why",
    )
    labels = seed_labels(settings).labels
    assert loaded(warehouse, labels) == []
    warehouse.execute(
        "CREATE TABLE staging.identity_labels (kind VARCHAR, left_type VARCHAR, "
        "left_value VARCHAR, right_type VARCHAR, right_value VARCHAR)"
    )
    warehouse.insert(
        "staging.identity_labels",
        [
            ("join", "email", "Anna@x.example", "email", "bo@x.example"),
            ("distrust", "email", " Till@x.example", None, None),
        ],
    )
    found = [label.origin for label in loaded(warehouse, labels)]
    assert found == ["identity_labels.csv:2", "identity_labels.csv:3"]
