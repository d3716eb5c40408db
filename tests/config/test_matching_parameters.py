"""What matching has learned is kept as it is, and refused where it is another model's."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from cdp.config.matching import load_matching
from cdp.config.matching_parameters import (
    Learned,
    load_parameters,
    parameters_file,
    save_parameters,
    untrained,
)
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.runs import logic_hash
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings

MATCHING = """matching:
  contacts:
    within: [crm]
    compare: {last_name: name, email: email}
    block: [[last_name], [email]]
    certain: {rules: [[email]]}
    accept: 0.95
    review: 0.6
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "config"
    config.mkdir()
    shipped = (PROJECT_ROOT / "config" / "sources.yml").read_text(encoding="utf-8")
    (config / "sources.yml").write_text(shipped, encoding="utf-8")
    (config / "matching.yml").write_text(MATCHING, encoding="utf-8")
    return load_settings(home=tmp_path / "home", config=config)


def learned(settings: Settings) -> Learned:
    model = load_matching(settings)["contacts"]
    parameters = {"splink": {"share": 0.25}, "learned_for": model.learned_for()}
    return Learned(
        learned_at=datetime(2026, 6, 1, 12),
        learned_by="ada",
        records=7,
        parameters=parameters,
    )


def test_what_was_learned_is_read_as_it_was_kept(settings: Settings) -> None:
    assert untrained(settings) == ["contacts"]
    assert load_parameters(settings) == {}
    path = save_parameters(settings, "contacts", learned(settings))
    assert path == settings.config / "matching" / "contacts.json"
    assert load_parameters(settings) == {"contacts": learned(settings)}
    assert untrained(settings) == []
    assert [each.name for each in path.parent.iterdir()] == ["contacts.json"]


def test_other_parameters_are_another_logic(settings: Settings) -> None:
    before = logic_hash(settings)
    save_parameters(settings, "contacts", learned(settings))
    assert logic_hash(settings) != before


@pytest.mark.parametrize(
    ("was", "now", "holds"),
    [
        ("accept: 0.95", "accept: 0.9", True),
        (
            "block: [[last_name], [email]]",
            "block: [[email]]\n    train: [[last_name], [email]]",
            True,
        ),
        ("email: email", "email: exact", False),
        ("within: [crm]", "within: [shop]", False),
    ],
)
def test_parameters_hold_for_what_they_were_learned_for(
    settings: Settings, was: str, now: str, holds: bool
) -> None:
    save_parameters(settings, "contacts", learned(settings))
    text = MATCHING.replace(was, now)
    assert text != MATCHING
    (settings.config / "matching.yml").write_text(text, encoding="utf-8")
    if holds:
        assert set(load_parameters(settings)) == {"contacts"}
    else:
        with pytest.raises(ConfigError, match=r"train it again by `cdp identity train contacts`"):
            load_parameters(settings)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '"text"', '{"learned_by": "ada"}', '{"learned_at": "never"}']
)
def test_a_damaged_file_is_told_with_what_to_do(settings: Settings, text: str) -> None:
    path = parameters_file(settings, "contacts")
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"contacts\.json:\d+: .*`cdp identity train contacts`"):
        load_parameters(settings)


def test_a_value_in_a_damaged_file_is_told_to_nobody(settings: Settings) -> None:
    path = parameters_file(settings, "contacts")
    path.parent.mkdir()
    path.write_text(json.dumps({"ada@example.com": 1}), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_parameters(settings)
    assert "ada@example.com" not in str(error.value)
