"""Every rule can be read aloud, in one way only."""

from __future__ import annotations

import pytest

from cdp.segmentation.sentences import sentence
from tests.segmentation.rules import read

SENTENCES = {
    "first seen within 7 days": "People who were first seen within the last 7 days.",
    "NOT last seen within 1 hour": "People who were not last seen within the last hour.",
    "last_purchase_date within 30 days AND total_spent > $1500.5": (
        "People whose last purchase was within the last 30 days "
        "and whose total spending is more than 1,500.5 USD."
    ),
    "order_count >= 3": "People whose number of orders is at least 3.",
    "NOT order_count <= 3": "People whose number of orders is not at most 3.",
    "country != 'DE'": "People whose country is other than 'DE'.",
    "did 'Product Added' within 24 hours AND NOT did 'Order Completed' "
    "since last 'Product Added'": (
        "People who did 'Product Added' within the last 24 hours "
        "and who did not do 'Order Completed' since their last 'Product Added'."
    ),
    "order_count = 1 AND (country = 'DE' OR NOT (country = 'FR' AND last seen within 2 weeks))": (
        "People whose number of orders is 1 and [whose country is 'DE' or "
        "not [whose country is 'FR' and who were last seen within the last 14 days]]."
    ),
}


@pytest.mark.parametrize("text", SENTENCES)
def test_a_rule_reads_as_english(text: str) -> None:
    assert sentence(read(text), "USD") == SENTENCES[text]
