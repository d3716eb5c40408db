"""The way of a matching model: declared, trained on command, run, looked at, decided on.

Belongs here: that way on people whose duplicates are known (`fake_1000` of Splink's own
documentation), through the main job with all its gates and the commands. Does not belong here: how
well pairs are told apart (`tests/identity/test_matching_people`), increments
(`tests/models/test_likely_people`).
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cdp.config.yaml_text import ConfigError
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from orchestration.running import run_job
from tests.cli.command import cdp, complaint
from tests.identity.matching_data import Fit, fit_of_groups
from tests.services.real_data import DataSets

SOURCES = """
sources:
  people:
    description: People who may stand several times.
    kind: files
    owner: a@example.com
    purpose: contract
    fresh_within: 1 day
    options: {location: "{home}/landing/people", settle: 0 seconds}
    streams:
      people:
        files: "*.csv"
        format: csv
        key: [unique_id]
        maps:
          - entity: contacts
            columns:
              {contact_id: unique_id, first_name: first_name, last_name: surname,
               birth_date: dob, city: city, email: email}
"""

MATCHING = """
matching:
  doubles:
    within: [people]
    compare: {first_name: name, last_name: name, birth_date: date, city: exact, email: email}
    block:
      - [first_name]
      - [last_name]
      - [birth_date]
      - [first 4 letters of email]
    train: [[first_name, last_name], [birth_date], [email]]
    certain:
      rules: [[email], [first_name, birth_date], [last_name, birth_date]]
      recall: 0.6
    accept: 0.9
    review: 0.2
"""


@dataclass(frozen=True)
class People:
    """A deployment of the people alone, and what came of its runs."""

    settings: Settings
    rows: list[dict[str, str]]
    fits: dict[str, Fit] = field(default_factory=dict)
    untrained: dict[str, list[str]] = field(default_factory=dict)

    def lay(self, name: str, rows: list[dict[str, str]]) -> None:
        folder = self.settings.home / "landing" / "people"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*self.rows[0]])
            writer.writeheader()
            writer.writerows(rows)

    def run(self, name: str) -> None:
        """Run the main job; every gate has to pass."""
        outcome = run_job(self.settings)
        assert outcome.success, outcome.errors
        self.untrained[name] = [news.name for news in outcome.news if news.what == "untrained"]
        self.fits[name] = self._fit()

    def command(self, *arguments: str) -> str:
        done = cdp(self.settings.home, *arguments, config=self.settings.config)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql)

    @property
    def parameters(self) -> Path:
        return self.settings.config / "matching" / "doubles.json"

    def _fit(self) -> Fit:
        """Who is one person, over the people who have landed."""
        profiles = dict(
            self.read(
                "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
                "WHERE identifier_type = 'people_id'"
            )
        )
        there = [row for row in self.rows if row["unique_id"] in profiles]
        groups = [profiles[row["unique_id"]] for row in there]
        return fit_of_groups(groups, [row["cluster"] for row in there])


@pytest.fixture(scope="module")
def people(real_data: DataSets, tmp_path_factory: pytest.TempPathFactory) -> People:
    """Half of the people, landed by a run without parameters and built by one with them; and then
    the other half."""
    home = tmp_path_factory.mktemp("people")
    config = home / "config"
    config.mkdir()
    (config / "sources.yml").write_text(SOURCES, encoding="utf-8")
    (config / "matching.yml").write_text(MATCHING, encoding="utf-8")
    with (real_data / "people/fake_1000.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = People(load_settings(home=home / "data", config=config), rows)
    made.lay("first.csv", rows[:500])
    made.run("untrained")
    (learned,) = json.loads(made.command("identity", "train", "--author", "ada", "--json"))
    assert learned == {"model": "doubles", "records": 500, "file": str(made.parameters)}
    made.run("trained")
    made.lay("second.csv", rows[500:])
    made.run("more")
    return made


def test_a_run_says_which_model_proposes_nothing_for_want_of_training(people: People) -> None:
    assert people.untrained["untrained"] == ["doubles"]
    assert people.untrained["trained"] == people.untrained["more"] == []


def test_who_is_one_person_is_found_in_what_was_there_and_in_what_comes(people: People) -> None:
    for name, fit in people.fits.items():
        print(f"\nfake_1000, {name}: {fit}")
    before = people.fits["untrained"]
    for after in (people.fits["trained"], people.fits["more"]):
        assert after.precision > 0.97
        assert after.recall > before.recall + 0.2


def test_parameters_say_who_had_them_learned_and_hold_no_value(people: People) -> None:
    text = people.parameters.read_text(encoding="utf-8")
    kept = json.loads(text)
    # Runs after it, with twice as many people, have changed nothing.
    assert (kept["learned_by"], kept["records"]) == ("ada", 500)
    values = {value for row in people.rows for value in row.values() if len(value) > 6}
    assert not any(value in text for value in values)


def test_people_are_asked_about_until_somebody_has_decided(people: People) -> None:
    asked = json.loads(people.command("identity", "candidates", "--limit", "1000", "--json"))
    probabilities = [each["probability"] for each in asked]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0.2 <= each < 0.9 for each in probabilities)
    first, second = asked[:2]
    shown = people.command("identity", "candidates", "--limit", "1")
    assert f"people_id:{first['left_value']}" in shown
    assert "birth_date: " in shown

    reason = ("--reason", "asked them", "--author", "ada")
    people.command("identity", "join", *ends(first), *reason)
    people.command("identity", "split", *ends(second), *reason)
    people.run("decided")
    left = json.loads(people.command("identity", "candidates", "--limit", "1000", "--json"))
    assert {ends(first), ends(second)} & {ends(each) for each in left} == set()
    assert len(left) < len(asked)


def ends(review: dict[str, Any]) -> tuple[str, str]:
    return (
        f"{review['left_type']}:{review['left_value']}",
        f"{review['right_type']}:{review['right_value']}",
    )


def test_an_edge_of_matching_is_explained_with_its_evidence(people: People) -> None:
    left, right, probability = people.read(
        "SELECT one.identifier_value, other.identifier_value, edges.probability "
        "FROM identity.int_match_edges AS edges "
        "INNER JOIN identity.dim_identifiers AS one ON edges.left_node = one.birth "
        "INNER JOIN identity.dim_identifiers AS other ON edges.right_node = other.birth "
        "WHERE NOT EXISTS (FROM identity.fct_identity_edges AS told WHERE told.left_node IN "
        "(edges.left_node, edges.right_node) OR told.right_node IN "
        "(edges.left_node, edges.right_node)) ORDER BY ALL LIMIT 1"
    )[0]
    asked = ("identity", "explain", f"people_id:{left}", f"people_id:{right}")
    told = json.loads(people.command(*asked, "--json"))
    assert told["is_one_person"]
    (step,) = told["path"]
    assert step["source"] == "match:doubles"
    likely = step["likeliness"]
    assert likely["probability"] == pytest.approx(probability)
    bits = sum(each["bits"] for each in likely["evidence"]) + likely["prior_bits"]
    assert bits == pytest.approx(likely["match_weight"], abs=0.01)
    assert f"likely one person by {probability:.3f}" in people.command(*asked).replace("\n", " ")


def test_parameters_of_what_the_model_was_stop_a_run_with_what_to_do(people: People) -> None:
    path = people.settings.config / "matching.yml"
    other = MATCHING.replace("city: exact, ", "")
    path.write_text(other, encoding="utf-8")
    try:
        with pytest.raises(ConfigError, match=r"train it again by `cdp identity train doubles`"):
            run_job(people.settings)
        done = cdp(people.settings.home, "run", config=people.settings.config)
        assert "cdp identity train doubles" in complaint(done)
    finally:
        path.write_text(MATCHING, encoding="utf-8")


def test_what_cannot_be_trained_is_told_in_a_sentence(people: People) -> None:
    home, config = people.settings.home, people.settings.config
    unknown = cdp(home, "identity", "train", "double", config=config)
    assert unknown.returncode == 5
    assert complaint(unknown).endswith("allowed: doubles (did you mean 'doubles'?)")
    path = config / "matching.yml"
    path.unlink()
    try:
        none = cdp(home, "identity", "train", config=config)
        assert none.returncode == 5
        assert "no matching model is declared" in complaint(none)
    finally:
        path.write_text(MATCHING, encoding="utf-8")
