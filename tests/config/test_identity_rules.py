"""The seeds with the rules of who is who are read, and what is wrong is told with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdp.config.identity_rules import load_identity_rules
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings

TYPES = (
    "identifier_type,priority,normaliser,max_per_profile,window_days,do_not_merge,is_device,"
    "max_people,max_asserted,max_values"
)
BLOCKED = "identifier_type,value,pattern,reason"
LABELS = "kind,left_type,left_value,right_type,right_value,author,reason"
SCOPES = "source,scope,min_name_parts"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "config" / "seeds").mkdir(parents=True)
    return load_settings(home=tmp_path / "home", config=tmp_path / "config")


def write(settings: Settings, name: str, *lines: str) -> None:
    path = settings.config / "seeds" / f"{name}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(settings: Settings, sources: tuple[str, ...] = ("web", "crm")) -> str:
    with pytest.raises(ConfigError) as caught:
        load_identity_rules(settings, sources)
    assert str(caught.value).startswith(str(settings.config / "seeds"))
    return str(caught.value)


def test_the_shipped_rules_are_right() -> None:
    rules = load_identity_rules(load_settings(config=PROJECT_ROOT / "config"))
    (user,) = [each for each in rules.types if each.identifier_type == "user_id"]
    assert (user.priority, user.max_per_profile, user.is_device) == (10, 1, False)
    assert {each.sign: each.allowed for each in rules.signs} == {
        "identifiers": 500,
        "given_names": 3,
        "surnames": 3,
    }
    assert "*" in {each.identifier_type for each in rules.blocked}


def test_seeds_beside_a_configuration_take_the_place_of_the_shipped_ones(
    settings: Settings,
) -> None:
    write(settings, "identifier_types", TYPES, "*,20,exact,,,false,false,,,")
    write(settings, "identity_scopes", SCOPES, "crm,people,2")
    rules = load_identity_rules(settings, ("web", "crm"))
    assert [each.identifier_type for each in rules.types] == ["*"]
    assert [(each.source, each.min_name_parts) for each in rules.scopes] == [("crm", 2)]
    assert rules.blocked, "the shipped ones"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("user id,10,exact,,,false,false,,,", "identifier_type: .* found 'user id'"),
        ("email,0,email,,,false,false,,,", "priority: .*greater than or equal to 1.* found '0'"),
        ("email,1000,email,,,false,false,,,", "priority: .*less than or equal to 999"),
        ("email,10,emial,,,false,false,,,", "normaliser: .*did you mean 'email'"),
        ("email,10,email,0,,false,false,,,", "max_per_profile: .*greater than or equal to 1"),
        ("email,10,email,x,,false,false,,,", "max_per_profile: .*valid integer.* found 'x'"),
        ("email,10,email,,7,false,false,,,", "window_days is the period of a limit"),
        ("email,10,email,5,,true,false,,,", "do_not_merge, expected max_per_profile to be 1"),
        ("email,10,email,5,,maybe,false,,,", "do_not_merge: .*boolean"),
        ("email,10,email,5,,false,false,,", "expected 10 cells, found 9"),
        ("*,10,exact,,,false,false,,,", r"identifier_type '\*' stands in line 2 already"),
    ],
)
def test_a_wrong_type_is_told_with_its_line(settings: Settings, row: str, expected: str) -> None:
    write(settings, "identifier_types", TYPES, "*,20,exact,,,false,false,,,", row)
    message = told(settings)
    assert "identifier_types.csv:3: " in message
    assert re.search(expected, message), message


def test_not_everything_that_is_not_named_is_a_phone_number(settings: Settings) -> None:
    write(settings, "identifier_types", TYPES, "*,20,phone,,,false,false,,,")
    assert "not everything that is not named is a phone" in told(settings)


@pytest.mark.parametrize("normaliser", ["exact", "lower", "email", "phone", "name", "text"])
def test_any_type_may_have_any_normaliser(settings: Settings, normaliser: str) -> None:
    rows = ("*,20,text,,,false,false,,,", f"mobile,30,{normaliser},,,false,false,,,")
    write(settings, "identifier_types", TYPES, *rows)
    rules = load_identity_rules(settings)
    assert [each.normaliser for each in rules.types] == ["text", normaliser]


def test_a_type_that_looks_misspelt_is_told_with_the_nearest(settings: Settings) -> None:
    rows = ("*,20,exact,,,false,false,,,", "emial,30,email,,,false,false,,,")
    own = ("loyalty,30,exact,,,false,false,,,", "crm_id,30,exact,,,false,false,,,")
    write(settings, "identifier_types", TYPES, *rows, *own)
    (warning,) = load_identity_rules(settings, id_types=("crm_id", "cms_id")).warnings
    assert warning.startswith(str(settings.config / "seeds" / "identifier_types.csv:3: "))
    assert warning.endswith("did you mean 'email'?")


def test_the_shipped_rules_warn_of_nothing() -> None:
    assert load_identity_rules(load_settings(config=PROJECT_ROOT / "config")).warnings == ()


def test_there_must_be_a_rule_for_types_that_are_not_named(settings: Settings) -> None:
    write(settings, "identifier_types", TYPES, "email,30,email,,,false,false,,,")
    assert "expected a row '*'" in told(settings)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("email,,(,broken", r"pattern: expected a regular expression: .*found '\('"),
        ("email,,(?=a),ahead", "pattern: expected a regular expression"),
        ("email,,a*?,lazy", r"pattern: not every engine has '\?' behind a repetition"),
        ("email,,,nothing", "expected either a value or a pattern, found nothing"),
        ("email,a@x,^a@x$,both", "expected either a value or a pattern, found both"),
        ("email,a@x,,", "reason: "),
        ("email,NULL,,lost", r"value: a seed reads this as nothing; expected the pattern \(\?i\)"),
        ("email,,null,lost", "pattern: a seed reads this as nothing"),
        ("emial,a@x,,typo", "no identifier type is called 'emial'.*did you mean 'email'"),
        ("ada@x,email,,swapped", r"^(?!.*ada@x).*identifier_type: .*pattern"),
        ("loyalty,a@x,,undeclared", "one of yours stands in identifier_types"),
        ("email,b@x,,twice", "the same stands in line 2 already"),
    ],
)
def test_a_wrong_blocked_value_is_told_with_its_line(
    settings: Settings, row: str, expected: str
) -> None:
    write(settings, "blocked_values", BLOCKED, "email,b@x,,a shop's own", row)
    message = told(settings)
    assert "blocked_values.csv:3: " in message
    assert re.search(expected, message), message


def test_values_are_blocked_of_types_that_somebody_is_declared_to_bring(
    settings: Settings,
) -> None:
    rows = ("crm_id,7,,", "email:sha256,00ff,,", "user_id,7,,", "*,7,,", "user_id,,7,")
    write(settings, "blocked_values", BLOCKED, *(f"{row}a reason" for row in rows))
    rules = load_identity_rules(settings, id_types=("crm_id",))
    assert [(each.identifier_type, each.value) for each in rules.blocked] == [
        ("crm_id", "7"),
        ("email:sha256", "00ff"),
        ("user_id", "7"),
        ("*", "7"),
        ("user_id", None),
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("joni,email,a@x,email,b@x,ada,why", "expected kind to be one of join, split, trust"),
        ("join,emial,a@x,email,b@x,ada,why", "left_type: no .* type is called 'emial'.*'email'"),
        ("join,email,a@x,crm_di,7,ada,why", "right_type: .*did you mean 'crm_id'"),
        ("join,email,a@x,,,ada,why", "expected something in right_type, found nothing"),
        ("trust,email,a@x,email,b@x,ada,why", "expected right_type and right_value to be empty"),
        ("trust,email,a@x,,,ada,", "expected something in reason"),
        ("trust,user_id,Null,,,ada,why", "left_value: a seed reads this as nothing"),
        ("trust,email,a@x,,,ada", "expected 7 cells, found 6"),
    ],
)
def test_a_wrong_label_is_told_with_its_line(settings: Settings, row: str, expected: str) -> None:
    write(settings, "identity_labels", LABELS, "split,email,a@x,crm_id,7,ada,why", row)
    with pytest.raises(ConfigError) as caught:
        load_identity_rules(settings, id_types=("crm_id",))
    assert "identity_labels.csv:3: " in str(caught.value)
    assert re.search(expected, str(caught.value)), str(caught.value)
    assert "a@x" not in str(caught.value)


def test_a_file_of_labels_with_other_columns_is_told(settings: Settings) -> None:
    write(settings, "identity_labels", "kind,left")
    assert "identity_labels.csv:1: expected the columns kind,left_type" in told(settings)


def test_names_are_a_sign_by_both_their_parts(settings: Settings) -> None:
    write(settings, "identity_signs", "sign,allowed", "given_names,3", "surnames,")
    assert "given_names and surnames are one sign" in told(settings)


def test_an_unknown_sign_is_told_with_the_nearest(settings: Settings) -> None:
    write(settings, "identity_signs", "sign,allowed", "surname,3")
    assert "did you mean 'surnames'" in told(settings)


def test_a_scope_of_a_source_that_is_not_declared_is_told(settings: Settings) -> None:
    write(settings, "identity_scopes", SCOPES, "web,people,", "crn,people,")
    message = told(settings)
    assert "identity_scopes.csv:3: no source is called 'crn'" in message
    assert "did you mean 'crm'" in message


def test_a_file_of_other_columns_or_in_another_encoding_is_told(settings: Settings) -> None:
    write(settings, "identity_scopes", "source,scope")
    assert "expected the columns source,scope,min_name_parts" in told(settings)
    (settings.config / "seeds" / "identity_scopes.csv").write_bytes(b"source\xff,scope")
    assert "expected CSV in UTF-8" in told(settings)
