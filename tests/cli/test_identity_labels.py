"""`cdp identity`: labels put on, listed, taken back and taken from a file, as a person does it."""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint
from tests.services.shop_run import ShopRun, settings_of

HEADER = "kind,left_type,left_value,right_type,right_value,author,reason\n"
WHY = ("--reason", "they told the shop")


@pytest.fixture(scope="module")
def built(finished_shop_run: ShopRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose record of labels tests may write to."""
    home = tmp_path_factory.mktemp("labels") / "home"
    shutil.copytree(finished_shop_run.settings.home, home, symlinks=True)
    return home


@pytest.fixture
def home(built: Path) -> Path:
    """The shop, without any label."""
    with open_warehouse(settings_of(built)) as warehouse:
        warehouse.execute("DELETE FROM governance.identity_labels")
    return built


@pytest.fixture(scope="module")
def emails(built: Path) -> list[str]:
    """Addresses that have landed, in the spelling that they have as values."""
    with open_warehouse(settings_of(built)) as warehouse:
        rows = warehouse.rows(
            "SELECT DISTINCT identifier_value FROM identity.int_identifier_values "
            "WHERE identifier_type = 'email' AND NOT is_blocked ORDER BY ALL LIMIT 6"
        )
    return [value for (value,) in rows]


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_force(home: Path) -> list[tuple[int, str]]:
    listed = told(cdp(home, "identity", "labels", "--json"))
    return [(each["label_number"], each["kind"]) for each in listed]


def test_a_label_is_recorded_with_who_said_so_and_why_and_listed(
    home: Path, emails: list[str]
) -> None:
    a, b = emails[:2]
    done = cdp(home, "identity", "split", f"email:{a}", f"email:{b}", *WHY)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Label 1 (split) is recorded. It takes effect with the next run.\n"
    (label,) = told(cdp(home, "identity", "labels", "--json"))
    assert label.pop("recorded_at").endswith("Z")
    assert label == {
        "label_number": 1,
        "origin": "recorded",
        "kind": "split",
        "left_type": "email",
        "left_value": a,
        "right_type": "email",
        "right_value": b,
        "author": getpass.getuser(),
        "reason": "they told the shop",
        "removes": None,
    }
    shown = cdp(home, "identity", "labels").stdout
    assert f"email:{a}" in shown
    assert "they told the shop" in shown


def test_labels_of_the_seed_are_listed_by_where_they_stand(
    home: Path, emails: list[str], tmp_path: Path
) -> None:
    a, b = emails[:2]
    config = tmp_path / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "seeds").mkdir(exist_ok=True)
    seed = config / "seeds" / "identity_labels.csv"
    row = f"join,email,{a.upper()},email,{b},ada,one person\n"
    seed.write_text(HEADER + row)
    (label,) = told(cdp(home, "identity", "labels", "--json", config=config))
    assert (label["label_number"], label["origin"]) == (None, "identity_labels.csv:2")
    assert (label["left_value"], label["recorded_at"]) == (a, None)
    refused = cdp(home, "identity", "split", f"email:{a}", f"email:{b}", *WHY, config=config)
    assert refused.returncode == 3
    assert complaint(refused).startswith("it contradicts identity_labels.csv:2: ")
    # What was recorded before the seed had the row holds.
    assert cdp(home, "identity", "split", f"email:{a}", f"email:{b}", *WHY).returncode == 0
    listed = cdp(home, "identity", "labels", config=config)
    assert listed.returncode == 0
    assert "identity_labels.csv:2: it contradicts label 1: " in listed.stderr
    assert "identity_labels.csv:2" in listed.stdout
    seed.write_text(f"{HEADER}{row}split,email,{b},email,{a},ada,two\n")
    checked = cdp(home, "config", "check", config=config)
    assert checked.returncode == 2
    assert "identity_labels.csv:3: it contradicts identity_labels.csv:2: " in complaint(checked)


def test_any_spelling_of_an_identifier_is_the_same_one(home: Path, emails: list[str]) -> None:
    a = emails[0]
    put = told(
        cdp(home, "identity", "distrust", f"email: {a.upper()} ", *WHY, "--author", "Bo", "--json")
    )
    assert (put["left_value"], put["right_value"], put["author"]) == (a, None, "Bo")
    again = cdp(home, "identity", "distrust", f"email:{a}", *WHY)
    assert again.returncode == 3
    assert complaint(again) == "label 1 says the same already"


def test_a_number_is_found_in_the_spelling_of_its_source(home: Path) -> None:
    with open_warehouse(settings_of(home)) as warehouse:
        raw, value = warehouse.rows(
            "SELECT raw_value, identifier_value FROM identity.int_identifier_values "
            "WHERE identifier_type = 'phone' AND identifier_value <> raw_value "
            "AND NOT is_blocked ORDER BY ALL LIMIT 1"
        )[0]
    put = told(cdp(home, "identity", "trust", f"phone:{raw}", *WHY, "--json"))
    assert (put["left_type"], put["left_value"]) == ("phone", value)


def test_what_is_taken_back_is_as_if_it_had_never_been(home: Path, emails: list[str]) -> None:
    a, b, c = (f"email:{each}" for each in emails[:3])
    for one, other in ((a, b), (b, c)):
        assert cdp(home, "identity", "join", one, other, *WHY).returncode == 0
    refused = cdp(home, "identity", "split", a, c, *WHY)
    assert refused.returncode == 3
    assert complaint(refused).startswith("it contradicts labels 1 and 2: ")
    assert in_force(home) == [(1, "join"), (2, "join")]
    done = cdp(home, "identity", "rm", "2", "--reason", "a mistake", "--author", "Bo")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Label 2 (join) is taken back. It takes effect with the next run.\n"
    assert in_force(home) == [(1, "join")]
    everything = told(cdp(home, "identity", "labels", "--all", "--json"))
    assert [(each["label_number"], each["removes"]) for each in everything] == [
        (1, None),
        (2, None),
        (3, 2),
    ]
    assert everything[2]["left_value"] == emails[1]
    assert (everything[2]["author"], everything[2]["reason"]) == ("Bo", "a mistake")
    assert cdp(home, "identity", "split", a, c, *WHY).returncode == 0
    assert in_force(home) == [(1, "join"), (4, "split")]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("2", "label 2 was taken back already, by number 3"),
        ("3", "3 takes back label 2"),
        ("9", "there is no label 9"),
    ],
)
def test_only_a_label_in_force_can_be_taken_back(
    home: Path, emails: list[str], number: str, said: str
) -> None:
    for value in emails[:2]:
        assert cdp(home, "identity", "distrust", f"email:{value}", *WHY).returncode == 0
    assert cdp(home, "identity", "rm", "2", *WHY).returncode == 0
    done = cdp(home, "identity", "rm", number, *WHY)
    assert done.returncode == 5
    assert said in complaint(done)
    assert in_force(home) == [(1, "distrust")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("distrust", "email:nobody@nowhere.test", *WHY), 5, "no row with that email has landed"),
        (("distrust", "emial:a@nowhere.test", *WHY), 2, "(did you mean 'email'?)"),
        (("distrust", "emial:a@nowhere.test", "--unseen", *WHY), 2, "(did you mean 'email'?)"),
        (("distrust", "a@nowhere.test", *WHY), 2, "written as type:value"),
        (("distrust", "phone:12", "--unseen", *WHY), 2, "none that a phone can have"),
        (("distrust", "email:a@nowhere.test", "--reason", " "), 2, "`--reason` is empty"),
        (
            ("distrust", "email:a@nowhere.test", *WHY, "--author", ""),
            2,
            "`--author` is empty",
        ),
        (
            ("split", "email:a@nowhere.test", "email:A@nowhere.test", "--unseen", *WHY),
            3,
            "both identifiers are the same one",
        ),
        (
            ("join", "email:a@nowhere.test", "user_id:nobody", *WHY),
            5,
            "the first identifier: no row with that email",
        ),
        (("import", "nosuch.csv"), 2, "nosuch.csv: No such file"),
    ],
)
def test_what_is_no_label_is_one_sentence_and_a_code_and_tells_no_value(
    home: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = cdp(home, "identity", *arguments)
    assert done.returncode == code, done.stderr
    assert said in complaint(done)
    assert "nowhere.test" not in done.stderr
    assert in_force(home) == []


def test_a_label_without_a_reason_is_none(home: Path) -> None:
    done = cdp(home, "identity", "distrust", "email:a@nowhere.test")
    assert done.returncode == 2
    assert "--reason" in done.stderr


def test_one_that_comes_later_is_labelled_when_that_is_said(home: Path) -> None:
    put = told(
        cdp(home, "identity", "distrust", "email: New@Nowhere.Test", "--unseen", *WHY, "--json")
    )
    assert put["left_value"] == "new@nowhere.test"


def test_a_file_is_taken_whole_and_once(home: Path, emails: list[str], tmp_path: Path) -> None:
    a, b, c, d = emails[:4]
    file = tmp_path / "labels.csv"
    file.write_text(
        f'{HEADER}join,email,{a.upper()},email,{b},ada,"one person,\nsurely"\n\n'
        f"join,email,{b},email,{a},bo,the same\ndistrust,email,{c},,,ada,a till's\n"
    )
    first = told(cdp(home, "identity", "import", str(file), "--json"))
    assert [each["label_number"] for each in first["taken"]] == [1, 2]
    assert first["taken"][0]["reason"] == "one person,\nsurely"
    assert first["known"] == 1
    with file.open("a") as more:
        more.write(f"split,email,{a},email,{d},ada,two sisters\n")
    again = cdp(home, "identity", "import", str(file))
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("1 labels are taken; 3 were in force already.")
    assert in_force(home) == [(1, "join"), (2, "distrust"), (3, "split")]
    assert told(cdp(home, "identity", "import", str(file), "--json"))["taken"] == []


def test_of_a_file_with_wrong_rows_none_is_taken_and_each_is_told(
    home: Path, emails: list[str], tmp_path: Path
) -> None:
    a, b, c = emails[:3]
    assert cdp(home, "identity", "join", f"email:{a}", f"email:{b}", *WHY).returncode == 0
    file = tmp_path / "labels.csv"
    file.write_text(
        HEADER
        + f"distrust,email,{c},,,ada,a till's\n"
        + f'merge,email,{a},email,{b},ada,"of\ntwo lines"\n'
        + f"join,email,{b},email,,ada,no value\n"
        + f"trust,email,{a},email,{b},ada,of two\n"
        + "distrust,emial,x@nowhere.test,,,ada,a typing error\n"
        + f"join,email,{a},email,x@nowhere.test,ada,never seen\n"
        + f"split,email,{a},email,{b},ada,the contrary\n"
        + f"join,email,{a},email,{c},ada,against the first row\n"
        + f"distrust,email,{a},,,ada\n"
        + f"distrust,email,{b},,,,nobody says so\n"
    )
    done = cdp(home, "identity", "import", str(file))
    assert done.returncode == 2
    said = complaint(done)
    for expected in (
        "line 3: expected kind to be one of join, split, trust, distrust",
        "line 5: expected something in right_value, found nothing",
        "line 6: expected right_type and right_value to be empty, as trust speaks of one",
        "line 7: left_type and left_value: no identifier type is called 'emial'",
        "(did you mean 'email'?)",
        "line 8: right_type and right_value: no row with that email has landed",
        "line 9: it contradicts label 1: ",
        "line 10: it contradicts line 2: one of both is said to be nobody's own",
        "line 11: expected 7 cells, found 6",
        "line 12: expected something in author, found nothing",
        "no label was taken",
    ):
        assert expected in said
    assert not any(value in said for value in (*emails, "x@nowhere.test"))
    assert in_force(home) == [(1, "join")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "line 1: expected the columns kind,left_type"),
        (b"kind,left\n", "line 1: expected the columns kind,left_type"),
        (HEADER.encode() + b'join,"a\n', "line 2: no CSV"),
        (HEADER.encode() + b"join,\xff\n", "expected text in UTF-8"),
    ],
    ids=["empty", "other columns", "open quotes", "another encoding"],
)
def test_what_is_no_file_of_labels_is_said_to_be_none(
    home: Path, tmp_path: Path, text: bytes, said: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(text)
    done = cdp(home, "identity", "import", str(file))
    assert done.returncode == 2
    assert said in complaint(done)


def test_before_the_first_run_there_is_nobody_to_label(tmp_path: Path) -> None:
    for arguments in (("labels",), ("distrust", "email:a", *WHY), ("rm", "1", *WHY)):
        done = cdp(tmp_path / "nothing", "identity", *arguments)
        assert done.returncode == 5, arguments
        assert "`cdp run`" in complaint(done)


def test_a_label_waits_for_the_run_that_holds_the_warehouse(home: Path) -> None:
    with FileLock(settings_of(home).lock_file, timeout=0):
        for arguments in (("distrust", "email:a", *WHY), ("rm", "1", *WHY), ("labels",)):
            done = cdp(home, "identity", *arguments, lock_wait_seconds="0.2")
            assert done.returncode == 4, (arguments, done.stderr)
            assert "held by another run" in complaint(done)


def test_the_next_run_sees_the_label_though_nothing_landed(
    shop_run: ShopRun, emails: list[str]
) -> None:
    home = shop_run.settings.home
    assert cdp(home, "identity", "distrust", f"email:{emails[0]}", *WHY).returncode == 0
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    assert not any(news.detail["quiet"] for news in outcome.news if news.what == "built")
    with open_warehouse(shop_run.settings) as warehouse:
        seen = warehouse.rows(
            "SELECT label_high_water, published_label_high_water FROM governance.int_current_run"
        )
    assert seen == [(1, 0)]
