"""What matching guarantees, whatever the records are.

Belongs here: orders, parts, hostile and missing values, evidence, refusals. Does not belong here:
how well it does on people (`test_matching_people`, `test_matching_contributors`).
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cdp.config.matching import MatchingModel
from cdp.config.matching_terms import read_cut
from cdp.identity.matching.errors import MatchingError
from cdp.identity.matching.preparing import FIRST_LANDING, prepared
from cdp.identity.matching.scoring import SCHEMA, candidates, is_as_crowded
from cdp.identity.matching.splink_model import key_sql
from cdp.identity.matching.training import train
from tests.identity.matching_data import model_of, probabilities_of, records_of

ATTRIBUTES = ["first_name", "last_name", "birth_date", "email", "phone", "postal_code", "street"]

EVERY_KIND = """
matching:
  people:
    within: [people]
    derive: {mailbox: local part of email}
    compare:
      first_name: name
      last_name: name
      birth_date: date
      email: email
      mailbox: handle
      phone: phone
      postal_code: postcode
      street: text
    block:
      - [last_name]
      - [email]
      - [birth_date, first 2 letters of first_name]
      - [last 4 letters of phone]
    train:
      - [last_name]
      - [birth_date]
    certain: {rules: [[email], [first_name, last_name, birth_date]], recall: 0.7}
    accept: 0.9
    review: 0.05
    random_pairs: 2000
    max_block: 40
"""

HOSTILE = [
    "'",
    '"; DROP TABLE all_rows; --',
    "' OR 1=1 --",
    "Robert'); DROP TABLE students;--",
    "{{ table }}",
    "{table}",
    "$rule",
    "\\",
    "%s",
    "\u202e",
    "\U0001f600",
    "ﷺ",
    "a" * 5_000,
    "NULL",
    "\t\n",
]


def some_people(seed: int = 3, people: int = 60) -> pa.Table:
    """People of whom half stand twice, the second time with a few slips."""
    chance = random.Random(seed)
    givens = ["Anna", "Ben", "Clara", "David", "Eva", "Felix", "Greta", "Hugo", "Ida", "Jan"]
    families = ["Berg", "Costa", "Dahl", "Engel", "Fuchs", "Gruber", "Hansen", "Iwata", "Jonas"]
    rows: list[dict[str, str | None]] = []
    for number in range(people):
        given, family = chance.choice(givens), chance.choice(families)
        row: dict[str, str | None] = {
            "first_name": given,
            "last_name": family,
            "birth_date": f"19{chance.randint(40, 99)}-0{chance.randint(1, 9)}-1{number % 10}",
            "email": f"{given}.{family}{number}@mail{number % 3}.example".lower(),
            "phone": f"+49 30 {chance.randint(1_000_000, 9_999_999)}",
            "postal_code": f"{chance.randint(10_000, 99_999)}",
            "street": f"{chance.choice(families)}weg {chance.randint(1, 99)}",
        }
        rows.append(row)
        if number % 2:
            again = dict(row)
            again[chance.choice(ATTRIBUTES)] = None
            again["first_name"] = given[:-1] + "x" if number % 3 == 0 else given.upper()
            rows.append(again)
    return records_of(rows, ATTRIBUTES)


@pytest.fixture(scope="module")
def model() -> MatchingModel:
    return model_of(EVERY_KIND, ATTRIBUTES)


@pytest.fixture(scope="module")
def records() -> pa.Table:
    return some_people()


@pytest.fixture(scope="module")
def parameters(records: pa.Table, model: MatchingModel) -> dict[str, Any]:
    return train(records, model)


@pytest.fixture(scope="module")
def found(records: pa.Table, model: MatchingModel, parameters: dict[str, Any]) -> pa.Table:
    return candidates(records, model, parameters)


def shuffled(records: pa.Table, seed: int) -> pa.Table:
    order = list(range(records.num_rows))
    random.Random(seed).shuffle(order)
    return records.take(pa.array(order, pa.int64()))


def with_rows(records: pa.Table, *rows: dict[str, Any]) -> pa.Table:
    more = [{name: row.get(name) for name in records.column_names} for row in rows]
    return pa.concat_tables([records, pa.Table.from_pylist(more, schema=records.schema)])


def test_the_same_rows_in_any_order_teach_the_same(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any]
) -> None:
    assert train(shuffled(records, 1), model) == parameters


def test_the_same_rows_in_any_order_have_the_same_candidates(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    assert found.num_rows > 20
    assert found.schema.equals(SCHEMA)
    assert candidates(shuffled(records, 2), model, parameters).equals(found)


def test_other_births_change_nothing_but_the_births(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    """The same rows landed in another order in a fresh warehouse have other births."""
    other = list(range(1_000, 1_000 + records.num_rows))
    random.Random(5).shuffle(other)
    index = records.column_names.index("node")
    reborn = records.set_column(index, "node", pa.array(other, pa.int64()))
    assert train(reborn, model) == parameters
    told = {
        (min(other[one], other[two]), max(other[one], other[two])): each
        for (one, two), each in probabilities_of(found).items()
    }
    assert probabilities_of(candidates(reborn, model, parameters)) == told


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(st.integers(0, 95), max_size=12))
def test_the_candidates_of_some_nodes_are_those_that_all_have(
    records: pa.Table,
    model: MatchingModel,
    parameters: dict[str, Any],
    found: pa.Table,
    only: set[int],
) -> None:
    nodes = pa.array(sorted(only), pa.int64())
    touching = pc.or_(pc.is_in(found["left_node"], nodes), pc.is_in(found["right_node"], nodes))
    assert candidates(records, model, parameters, only).equals(found.filter(touching))


def test_a_pair_is_what_it_is_whoever_else_is_there(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    left, right = found["left_node"][0].as_py(), found["right_node"][0].as_py()
    alone = records.filter(pc.is_in(records["node"], pa.array([left, right], pa.int64())))
    assert candidates(alone, model, parameters).equals(found.slice(0, 1))


def test_records_that_say_nothing_match_nobody(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    empty = [{"node": 1_000 + each, "source": "people"} for each in range(20)]
    assert candidates(with_rows(records, *empty), model, parameters).equals(found)
    assert train(with_rows(records, *empty), model) == parameters
    alone = with_rows(records.slice(0, 0), *empty)
    assert candidates(alone, model, parameters).num_rows == 0


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "first ",
                "last ",
                "3",
                " letters of ",
                "email",
                "v_",
                ")",
                "'",
                '"',
                ";",
                "--",
                "{",
                "}",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=8,
).map("".join)


@given(PIECES)
@example("first 3 letters of email")
@example("last 20 letters of email")
@example("email")
@example("email\n")
@example("first 3 letters of email) OR (1=1")
def test_nothing_that_a_file_says_becomes_sql(text: str) -> None:
    try:
        cut = read_cut(text)
    except ValueError:
        return
    column = r"\{table\}\.v_[a-z][a-z0-9_]*"
    assert re.fullmatch(rf"{column}|substr\({column}, (1, \d\d?|-\d\d?)\)", key_sql(cut))


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_hostile_values_change_nothing(
    records: pa.Table,
    model: MatchingModel,
    parameters: dict[str, Any],
    found: pa.Table,
    attribute: str,
) -> None:
    rows = [
        {"node": 1_000 + number, "source": "people", attribute: value}
        for number, value in enumerate(HOSTILE)
    ]
    beside = candidates(with_rows(records, *rows), model, parameters)
    of_others = beside.filter(pc.less(beside["right_node"], 1_000))
    assert of_others.equals(found)


def test_hostile_values_can_be_learned_from(records: pa.Table, model: MatchingModel) -> None:
    rows = [
        {"node": 1_000 + number, "source": "people", **dict.fromkeys(ATTRIBUTES, value)}
        for number, value in enumerate([*HOSTILE, *HOSTILE])
    ]
    told = with_rows(records, *rows)
    twins = probabilities_of(candidates(told, model, train(told, model)))
    assert twins[1_001, 1_001 + len(HOSTILE)] > 0.9


def test_records_of_other_sources_are_left_alone(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    twins = [{**row, "node": 1_000 + row["node"], "source": "shop"} for row in records.to_pylist()]
    assert candidates(with_rows(records, *twins), model, parameters).equals(found)


def test_between_two_sources_nobody_is_matched_within_one(
    records: pa.Table, found: pa.Table
) -> None:
    rows = records.to_pylist()
    chance = random.Random(8)
    for row in rows:
        row["source"] = chance.choice(["people", "shop"])
    two = pa.Table.from_pylist(rows, schema=records.schema)
    text = EVERY_KIND.replace("within: [people]", "between: [people, shop]")
    across = model_of(text, ATTRIBUTES, ["people", "shop"])
    between = probabilities_of(candidates(two, across, train(two, across)))
    sources = {row["node"]: row["source"] for row in rows}
    likely = {pair for pair, each in probabilities_of(found).items() if each > 0.99}
    assert {pair for pair in likely if sources[pair[0]] == sources[pair[1]]}
    assert {pair for pair in likely if sources[pair[0]] != sources[pair[1]]} & set(between)
    assert all(sources[one] != sources[other] for one, other in between)


def test_of_several_records_of_a_node_the_best_counts(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    node, other = found["left_node"][0].as_py(), found["right_node"][0].as_py()
    (email,) = records.filter(pc.equal(records["node"], other))["email"].to_pylist()
    stranger = {"node": node, "source": "people", "email": email, "first_name": "Zoe"}
    after = probabilities_of(candidates(with_rows(records, stranger), model, parameters))
    before = probabilities_of(found)
    assert {pair: after[pair] for pair in before} == before
    assert all(one != other for one, other in after)


def test_who_is_told_often_teaches_once(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any]
) -> None:
    again = [{**row, "street": None, "phone": None} for row in records.to_pylist()]
    assert train(with_rows(records, *again), model) == parameters


def test_what_too_many_share_makes_no_pair_and_is_told(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any], found: pa.Table
) -> None:
    planted = [
        {"node": 1_000 + each, "source": "people", "email": "kiosk@shop.example"}
        for each in range(model.max_block + 1)
    ]
    beyond = with_rows(records, *planted)
    landed = beyond.append_column(
        FIRST_LANDING, pa.array(range(1, beyond.num_rows + 1), pa.int64())
    )
    for rows in (landed, shuffled(landed, 4)):
        compared = prepared(rows, model)
        # The last that is planted is one too many.
        assert not is_as_crowded(compared, model, beyond.num_rows - 1)
        assert is_as_crowded(compared, model, beyond.num_rows)
        within_limit = prepared(rows.filter(pc.less(rows[FIRST_LANDING], beyond.num_rows)), model)
        assert is_as_crowded(within_limit, model, records.num_rows)
    assert candidates(beyond, model, parameters).equals(found)
    assert train(beyond, model)["splink"]["probability_two_random_records_match"] < 0.05


def test_evidence_adds_up_and_holds_no_value(found: pa.Table, records: pa.Table) -> None:
    values = {
        each for name in ATTRIBUTES for each in records[name].to_pylist() if each and len(each) > 4
    }
    for row in found.to_pylist():
        told = json.loads(row["waterfall"])
        steps = told["comparisons"]
        bits = sum(step["bits"] + step.get("rarity_bits", 0) for step in steps)
        assert bits + told["prior_bits"] == pytest.approx(row["match_weight"], abs=0.01)
        assert [step["name"] for step in steps][:2] == ["first_name", "last_name"]
        assert all(step["level"] for step in steps)
        assert not any(value.lower() in row["waterfall"].lower() for value in values)


def test_parameters_are_plain_and_hold_no_value(
    records: pa.Table, parameters: dict[str, Any], model: MatchingModel, found: pa.Table
) -> None:
    text = json.dumps(parameters)
    assert "anna" not in text.lower()
    assert "example" not in text
    assert candidates(records, model, json.loads(text)).equals(found)


def test_parameters_of_another_model_are_refused(
    records: pa.Table, model: MatchingModel, parameters: dict[str, Any]
) -> None:
    other = model_of(EVERY_KIND.replace("street: text", "street: exact"), ATTRIBUTES)
    with pytest.raises(MatchingError, match=r"'people' were learned for other .* train it again"):
        candidates(records, other, parameters)
    looser = model_of(EVERY_KIND.replace("review: 0.05", "review: 0.5"), ATTRIBUTES)
    least = pc.min(candidates(records, looser, parameters)["probability"]).as_py()
    assert least >= 0.5


def test_records_without_a_column_are_refused(records: pa.Table, model: MatchingModel) -> None:
    with pytest.raises(MatchingError, match=r"'people' lack: email, phone; they have: node"):
        prepared(records.drop_columns(["phone", "email"]), model)


@pytest.mark.parametrize("size", [2, 5])
def test_nothing_is_learned_where_all_are_one_person(
    records: pa.Table, model: MatchingModel, size: int
) -> None:
    (first,) = records.slice(0, 1).to_pylist()
    same = [{**first, "node": 1_000 + each} for each in range(size)]
    with pytest.raises(MatchingError, match="all records would be one person"):
        train(with_rows(records.slice(0, 0), *same), model)


def test_nothing_is_learned_of_people_who_have_nothing_in_common(
    records: pa.Table, model: MatchingModel
) -> None:
    with pytest.raises(MatchingError, match="no two records agree on any list of `certain`"):
        train(records.slice(0, 1), model)
