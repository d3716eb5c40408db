"""A deployment whose roles are its own: no command knows what the shipped ones are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cdp.commands.terminal import Exit
from cdp.warehouse.settings import PROJECT_ROOT
from tests.cli.command import cdp, complaint

ROLES = """
roles:
  traffic:
    description: People who look at visits alone.
    shows: []
    core: [profiles.fct_sessions]
  readers:
    description: Everybody else.
    shows: []
    core: [profiles.dim_profiles, segments.*]
"""


@pytest.mark.slow
def test_the_demo_and_the_commands_read_as_the_first_role_that_has_what_they_need(
    tmp_path: Path,
) -> None:
    home, config = tmp_path / "home", tmp_path / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "roles.yml").write_text(ROLES)
    demo = cdp(home, "demo", "--people", "60", "--days", "20", config=config)
    assert demo.returncode == 0, demo.stderr
    assert "current/readers/core.duckdb" in demo.stdout
    shown = demo.stdout.partition("profile show ")[2].split()[0]

    listed = json.loads(cdp(home, "segment", "list", "--json", config=config).stdout)
    assert len(listed) == 4
    assert all(each["size"] > 0 for each in listed)
    hidden = cdp(home, "segment", "list", "--role", "traffic", "--json", config=config)
    assert [each["size"] for each in json.loads(hidden.stdout)] == [None] * 4

    person = json.loads(cdp(home, "profile", "show", shown, "--json", config=config).stdout)
    assert person["profile_id"] == int(shown)
    assert person["segments"] is not None
    # The role has segments and no identifiers, which is not the same as a person without any.
    assert person["identifiers"] is None
    refused = cdp(home, "profile", "show", shown, "--role", "traffic", config=config)
    assert refused.returncode == Exit.NOT_FOUND
    assert "no table dim_profiles for traffic" in complaint(refused)

    # Renamed once more, and not published since: what is published is still shown.
    (config / "roles.yml").write_text(
        ROLES.replace("readers:", "everybody:").replace("traffic:", "web:")
    )
    again = json.loads(cdp(home, "segment", "list", "--json", config=config).stdout)
    assert again == listed
