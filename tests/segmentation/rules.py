"""What the tests of segments share: reading a rule by the shipped catalogue, rendering a model."""

from __future__ import annotations

import jinja2

from cdp.segmentation.definitions import Segment, load_catalogue
from cdp.segmentation.parsing import parse_rule
from cdp.segmentation.sentences import sentence
from cdp.segmentation.tree import Rule, rule_version
from cdp.warehouse.settings import PROJECT_ROOT

CATALOGUE = load_catalogue(PROJECT_ROOT / "config")


def read(text: str, base_currency: str = "USD") -> Rule:
    """Parse a rule against the shipped catalogue."""
    return parse_rule(text, CATALOGUE, base_currency)


def segment(name: str, text: str) -> Segment:
    """A segment with a rule, and something in every other field."""
    rule = read(text)
    return Segment(
        name=name,
        description="For the test.",
        owner="test@example.com",
        purpose="marketing",
        rule_text=text,
        rule=rule,
        sentence=sentence(rule, "USD"),
        rule_version=rule_version(rule),
    )


def rendered(text: str) -> str:
    """A generated model as dbt renders it in a full build."""
    # What is rendered is SQL, not a page.
    environment = jinja2.Environment(autoescape=False)  # noqa: S701
    return environment.from_string(text).render(
        config=lambda **_: "",
        ref=lambda name: name,
        run_value=lambda column: f"(select r.{column} from int_current_run as r)",
        in_change_set=lambda *_: "true",
        text_literal=lambda value: "'" + value.replace("'", "''") + "'",
    )
