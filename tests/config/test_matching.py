"""`matching.yml` says what it means, or the person who wrote it is told what is wrong and where.

Belongs here: the file and its reader. Does not belong here: what matching makes of a model
(`tests/identity`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from cdp import schemas
from cdp.config.matching import ATTRIBUTES, FILE, KINDS, MatchingModel, load_matching, read_matching
from cdp.config.matching_terms import CUTS, DERIVATIONS, Cut, Derivation, read_cut, read_derivation
from cdp.config.yaml_text import ConfigError, parse_yaml
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

RIGHT = """matching:
  crm_contacts:
    within: [crm]
    derive:
      called: [first_name, words of email]
      given: first word of called
    compare:
      given: name
      last_name: name
      email: email
    block:
      - [last_name, first 3 letters of first_name]
      - [email]
    certain:
      rules: [[email]]
    accept: 0.95
    review: 0.6
"""


def read(text: str) -> dict[str, MatchingModel]:
    return read_matching(parse_yaml(text, Path("matching.yml")), ["crm", "shop"], ATTRIBUTES)


def test_a_model_is_what_its_file_says() -> None:
    model = read(RIGHT)["crm_contacts"]
    assert model.sources == ("crm",)
    assert model.read_attributes() == ("email", "first_name", "last_name")
    assert model.derivations()["called"] == (
        Derivation("first_name"),
        Derivation("email", "words of"),
    )
    assert model.derivations()["given"] == (Derivation("called", "first word of"),)
    assert model.training_rules == model.block
    assert Cut("first_name", 3) in list(model.cuts())


WRONG = {
    "another key at the top": ("matching:", "matchin:", 1, "'matchin' is not known here"),
    "a misspelled key": ("    compare:", "    compares:", 7, "did you mean 'compare'?"),
    "an unknown source": ("[crm]", "[crn]", 3, "no source is called 'crn'; .*mean 'crm'"),
    "an unknown kind": ("email: email", "email: emial", 10, "'emial'; .*mean 'email'"),
    "an unknown attribute": ("last_name: name", "lost_name: name", 9, "mean 'last_name'"),
    "an unknown attribute to look for": ("- [email]", "- [emil]", 13, "mean 'email'"),
    "an unknown attribute in a cut": (
        "letters of first_name",
        "letters of frist_name",
        12,
        "'frist_name'; .*mean 'first_name'",
    ),
    "an unknown attribute that is certain": ("[[email]]", "[[emails]]", 15, "mean 'email'"),
    "an unknown attribute to derive from": ("words of email", "words of mail", 5, "mean 'email'"),
    "an unknown derivation": (
        "first word of called",
        "first world of called",
        6,
        "no attribute is derived by 'first world of'; .*mean 'first word of'",
    ),
    "something else to look for": ("first 3 letters of", "soundex of", 12, "expected an attribute"),
    "too many letters": ("first 3 letters", "first 300 letters", 12, "with N from 1 to 20"),
    "a derived name that is taken": ("given: first", "email: first", 6, "'email' is there already"),
    "both within and between": (
        "within: [crm]",
        "within: [crm]\n    between: [crm, shop]",
        2,
        "expected `within: .source.` or `between",
    ),
    "a source between itself": ("within: [crm]", "between: [crm, crm]", 2, "names two sources"),
    "between one": ("within: [crm]", "between: [crm]", 2, "names two sources"),
    "within two": ("within: [crm]", "within: [crm, shop]", 3, "at most 1 item"),
    "thresholds the wrong way round": ("review: 0.6", "review: 0.99", 2, "not above `accept`"),
    "a threshold that is none": ("accept: 0.95", "accept: 95", 16, "less than 1"),
    "no threshold": ("    accept: 0.95\n", "", 2, "accept: Field required"),
    "nothing to be certain of": ("[[email]]", "[]", 15, "at least 1 item"),
    "an empty list to look for": ("- [email]", "- []", 2, "has at least one"),
    "what cannot be learned": ("- [email]", "- [last_name]", 9, "add a list without it under"),
    "SQL for an attribute": ("- [email]", "- ['email) OR (1=1']", 13, "expected an attribute"),
    "SQL for a name": ("crm_contacts:", "'crm; DROP TABLE x':", 2, "name: String should match"),
    "a template": (
        "    compare:",
        "    description: '{{ x }}'\n    compare:",
        7,
        "may not contain",
    ),
}


@pytest.mark.parametrize(("right", "wrong", "line", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_with_its_line(right: str, wrong: str, line: int, said: str) -> None:
    assert right in RIGHT
    with pytest.raises(ConfigError, match=said) as told:
        read(RIGHT.replace(right, wrong, 1))
    assert str(told.value).startswith(f"matching.yml:{line}: ")


def example_of_the_page() -> str:
    page = (PROJECT_ROOT / "docs" / "reference" / "matching.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def test_the_example_of_the_reference_page_is_right() -> None:
    (model,) = read(example_of_the_page()).values()
    assert model.train
    assert model.certain.recall == 0.8


def schema_errors(text: str) -> list[str]:
    schema = schemas.matching_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))
    return [error.message for error in errors]


@pytest.mark.parametrize("text", [RIGHT, "matching:", "matching: []", "matching: {}", "{}"])
def test_editors_take_what_is_right(text: str) -> None:
    assert schema_errors(text) == []
    assert schema_errors(example_of_the_page()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("compare:", "compares:"),
        ("email: email", "email: emial"),
        ("within: [crm]", "description: none"),
        ("accept: 0.95", "accept: 95"),
    ],
)
def test_editors_underline_what_is_wrong(right: str, wrong: str) -> None:
    assert schema_errors(RIGHT.replace(right, wrong, 1))


@pytest.mark.parametrize("text", ["", "matching:", "matching: {}", "matching: []", "# none\n"])
def test_a_file_without_models_turns_matching_off(text: str) -> None:
    assert read(text) == {}


def test_a_list_is_no_mapping_of_models() -> None:
    with pytest.raises(ConfigError, match="expected a name for each model"):
        read("matching: [crm]")


def test_without_the_file_nothing_is_matched() -> None:
    assert not (PROJECT_ROOT / "config" / FILE).exists()
    assert load_matching(load_settings(config=PROJECT_ROOT / "config")) == {}


def test_sources_are_those_of_the_configuration(tmp_path: Path) -> None:
    shipped = (PROJECT_ROOT / "config" / "sources.yml").read_text(encoding="utf-8")
    (tmp_path / "sources.yml").write_text(shipped, encoding="utf-8")
    (tmp_path / FILE).write_text(RIGHT.replace("[crm]", "[shop]"), encoding="utf-8")
    assert list(load_matching(load_settings(config=tmp_path))) == ["crm_contacts"]
    (tmp_path / FILE).write_text(RIGHT.replace("[crm]", "[shopp]"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"matching\.yml:3: no source is called 'shopp'"):
        load_matching(load_settings(config=tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_is_told_can_be_declared(kind: str) -> None:
    assert read(RIGHT.replace("last_name: name", f"last_name: {kind}"))


@pytest.mark.parametrize("how", DERIVATIONS)
def test_every_derivation_that_is_told_can_be_declared(how: str) -> None:
    assert read_derivation(f"{how} email") == Derivation("email", how)


@pytest.mark.parametrize("how", CUTS)
def test_every_cut_that_is_told_can_be_declared(how: str) -> None:
    sign = 1 if how.startswith("first") else -1
    assert read_cut(f"{how.replace('N', '4')} email") == Cut("email", 4 * sign)


def test_records_bring_whatever_a_model_may_name() -> None:
    """And every version of a contact tells it."""
    catalogue = load_catalogue(PROJECT_ROOT / "dbt_project")
    records = set(catalogue["identity", "int_match_records"].columns)
    assert records - {"node", "source", "first_landing_number"} == set(ATTRIBUTES)
    assert set(ATTRIBUTES) <= set(catalogue["staging", "int_contact_versions"].columns)


def test_without_a_model_splink_is_not_loaded(tmp_path: Path) -> None:
    """What a run asks of matching in a deployment that declares none."""
    asked = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cdp.identity.matching.proposing import configured\n"
        "from cdp.warehouse.settings import load_settings\n"
        "assert configured(load_settings(home=Path(sys.argv[1]))) == []\n"
        "assert 'splink' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
