"""On people whose duplicates are known, matching is no worse than Splink as its makers set it up.

Belongs here: the data sets that Splink's documentation uses, or their like, in the same run with
both. Does not belong here: what matching guarantees on any data (`test_matching_any_records`).

The peer is taken at whatever threshold suits it best; ours is taken where its model says.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from cdp.identity.matching.scoring import candidates
from cdp.identity.matching.training import train
from tests.identity import splink_documented
from tests.identity.matching_data import fit_of_pairs, model_of, people, probabilities_of
from tests.services.real_data import DataSets

FAKE_PEOPLE = """
matching:
  fake_people:
    within: [people]
    compare: {first_name: name, surname: name, dob: date, city: exact, email: email}
    block:
      - [first_name]
      - [surname]
      - [dob]
      - [email]
      - [first 4 letters of email]
      - [first 7 letters of dob]
      - [first 3 letters of surname, first 2 letters of first_name]
    train:
      - [first_name, surname]
      - [dob]
      - [email]
    certain:
      rules: [[email], [first_name, dob], [surname, dob]]
      recall: 0.6
    accept: 0.5
    review: 0.1
"""

FEBRL = """
matching:
  febrl:
    within: [people]
    compare:
      given_name: name
      surname: name
      date_of_birth: date
      street_number: exact
      address_1: text
      suburb: name
      postcode: postcode
    block:
      - [given_name, surname]
      - [date_of_birth]
      - [postcode, first 3 letters of surname]
      - [postcode, first 3 letters of given_name]
      - [address_1]
      - [surname, suburb]
    train:
      - [date_of_birth]
      - [postcode, surname]
    certain:
      rules: [[given_name, surname, date_of_birth], [address_1, date_of_birth]]
      recall: 0.8
    accept: 0.9
    review: 0.1
"""

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
Peer = Callable[[pa.Table], dict[tuple[int, int], float]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "text", "peers", "documented"),
    [
        (
            "fake_1000",
            FAKE_PEOPLE,
            (
                splink_documented.fake_people_by_full_name,
                splink_documented.fake_people_by_each_name,
            ),
            splink_documented.FAKE_THRESHOLD,
        ),
        ("febrl1", FEBRL, (splink_documented.febrl,), splink_documented.FEBRL_THRESHOLD),
        ("febrl2", FEBRL, (splink_documented.febrl,), splink_documented.FEBRL_THRESHOLD),
        ("febrl3", FEBRL, (splink_documented.febrl,), splink_documented.FEBRL_THRESHOLD),
    ],
    ids=["fake_1000", "febrl1", "febrl2", "febrl3"],
)
def test_it_is_no_worse_than_splink_as_documented(
    real_data: DataSets, data: str, text: str, peers: tuple[Peer, ...], documented: float
) -> None:
    records, persons = people(real_data, data)
    attributes = [each for each in records.column_names if each not in ("node", "source")]
    model = model_of(text, attributes)
    found = candidates(records, model, train(records, model))
    ours = fit_of_pairs(probabilities_of(found), persons, model.accept)
    print(f"\n{data}: ours from {model.accept}: {ours}")
    for peer in peers:
        scored = peer(records)
        told = fit_of_pairs(scored, persons, documented)
        best = max((fit_of_pairs(scored, persons, each) for each in THRESHOLDS), key=lambda x: x.f1)
        print(f"{data}: {peer.__name__} from {documented}: {told}; at its best: {best}")
        assert ours.f1 >= best.f1
        assert ours.f1 >= told.f1
