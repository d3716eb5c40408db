"""A CRM's export: contacts that the CRM merged are one profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.examples.conftest import Example
from tests.services.real_data import DataSets

FILES = ("contact_data", "contact_merge_audit_data", "contact_list_member_data")


@pytest.fixture(scope="module")
def tables(real_data: DataSets) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(real_data / f"hubspot/{name}.csv", dtype=str) for name in FILES}


@pytest.fixture(scope="module")
def hubspot(example: Callable[[str], Example], real_data: DataSets) -> Example:
    made = example("hubspot")
    for name in FILES:
        made.lay(real_data / f"hubspot/{name}.csv", "landing/hubspot")
    made.run()
    return made


def test_every_row_lands(hubspot: Example, tables: dict[str, pd.DataFrame]) -> None:
    rows = hubspot.warehouse_rows("SELECT stream, count(*) FROM raw.hubspot GROUP BY stream")
    assert dict(rows) == {
        "contacts": len(tables["contact_data"]),
        "merges": len(tables["contact_merge_audit_data"]),
        "list_members": len(tables["contact_list_member_data"]),
    }


def heads(tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """The contact that each merged one went into, by what the CRM says."""
    contacts, merges = tables["contact_data"], tables["contact_merge_audit_data"]
    head: dict[str, str] = {}
    for kept, merged in contacts[["id", "property_hs_merged_object_ids"]].dropna().values:
        head |= dict.fromkeys(merged.split(";"), kept)
    head |= dict(zip(merges["vid_to_merge"], merges["canonical_vid"], strict=True))
    return head


def test_merged_contacts_are_one_profile_and_no_others_are(
    hubspot: Example, tables: dict[str, pd.DataFrame]
) -> None:
    head = heads(tables)
    profile_of = hubspot.profile_of("hubspot_id")
    by_head: dict[str, set[int]] = {}
    for contact, profile in profile_of.items():
        by_head.setdefault(head.get(str(contact), str(contact)), set()).add(profile)
    assert head
    assert all(len(profiles) == 1 for profiles in by_head.values())
    assert len(by_head) == profile_of.nunique()


def test_prospects_are_the_people_of_the_export_who_ordered_nothing(
    hubspot: Example, tables: dict[str, pd.DataFrame]
) -> None:
    """The export holds no order, so that each of its people is one, merged contacts once."""
    contacts, merges = tables["contact_data"], tables["contact_merge_audit_data"]
    named = [contacts["id"], merges["canonical_vid"], merges["vid_to_merge"]]
    named += [tables["contact_list_member_data"]["contact_id"]]
    named += [contacts["property_hs_merged_object_ids"].dropna().str.split(";").explode()]
    head = heads(tables)
    people = {head.get(contact, contact) for contact in pd.concat(named)}
    profile_of = hubspot.profile_of("hubspot_id")
    assert hubspot.members("prospects") == {int(profile_of[person]) for person in people}
    assert len(hubspot.members("prospects")) == len(people)


def test_a_merge_that_arrives_later_moves_the_contact(
    hubspot: Example, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """The same merge told by a second export: two contacts, until then apart, become one."""
    profile_of = hubspot.profile_of("hubspot_id")
    contacts = tables["contact_data"]["id"]
    kept, gone = [each for each in contacts if (profile_of == profile_of[each]).sum() == 1][:2]
    audit = (
        tables["contact_merge_audit_data"]
        .head(1)
        .assign(
            canonical_vid=kept, contact_id=kept, vid_to_merge=gone, timestamp="2021-04-02 12:00:00"
        )
    )
    path = tmp_path / "contact_merge_audit_data_2.csv"
    audit.to_csv(path, index=False)
    hubspot.lay(path, "landing/hubspot")
    hubspot.run()
    after = hubspot.profile_of("hubspot_id")
    assert after[kept] == after[gone] == min(profile_of[kept], profile_of[gone])
    moved = hubspot.warehouse_rows(
        "SELECT profile_before, profile_after, cause FROM identity.fct_identity_changes "
        "ORDER BY run_number DESC LIMIT 1"
    )
    assert moved == [
        (max(profile_of[kept], profile_of[gone]), min(profile_of[kept], profile_of[gone]), "merge")
    ]
