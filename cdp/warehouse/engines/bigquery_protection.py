"""The map of personal data as BigQuery's own protection: who is let in, members, policy tags.

Belongs here: the statements and bodies of requests that bring a project from what it has to what is
declared. Pure: declarations and what was found in, text and plain data out. Does not belong here:
sending anything (`bigquery_rights`), views (`schema_shelf`).

BigQuery has no roles of its own, so each role of `roles.yml` has a dataset of views. In a view, a
column that the role must not see is null of its type and is not read at all. The views are let in
to the datasets of published tables (an *authorised dataset*), people are not: the members of a role
may read its views and nothing else.

Policy tags are a second wall in front of the tables themselves, one for each class of personal
data: whoever comes to read a tagged column by another way needs to be let in by name. SQL cannot
set tags, so they are given as the schema that a table is to have. Members of a role that is shown a
class are let in to its tag as well, since BigQuery may ask for it of whoever reads through a view.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp.config.personal_data import CLASSES, PersonalData
from cdp.config.roles import Role
from cdp.warehouse.engines.protection import Relation

READER = "roles/bigquery.dataViewer"
"""What the members of a role are granted on the dataset of its views."""

TAG_READER = "roles/datacatalog.categoryFineGrainedReader"
"""What is granted on a policy tag to those who may read columns that have it."""

CURRENT = "serving"
"""What the datasets of views begin with that show the current set."""

_NO_NAME = re.compile(r"[`\\\x00-\x1f\x7f]")

Json = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a project has of protection that came from here.

    Attributes:
        members: by dataset of a role, who has been granted to read it.
    """

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)


NOTHING = Found()


def dataset_of(role: str, place: str = CURRENT) -> str:
    """The dataset of a role's views, of the current set or of the one that stands at a place."""
    return f"{place}_{role}"


def revoke(
    project: str,
    roles: Mapping[str, Role],
    members: Mapping[str, Sequence[str]],
    found: Found,
    *,
    place: str = CURRENT,
) -> list[str]:
    """The statements that take away what members have and are declared to have no more.

    To be run before anything else.
    """
    wanted = _members(roles, members, place)
    return [
        f"REVOKE `{READER}` ON SCHEMA {_path(project, dataset)} FROM {_member(member)}"
        for dataset, had in sorted(found.members.items())
        for member in sorted(had - wanted.get(dataset, frozenset()))
    ]


def grant(
    project: str,
    roles: Mapping[str, Role],
    members: Mapping[str, Sequence[str]],
    found: Found = NOTHING,
    *,
    place: str = CURRENT,
) -> list[str]:
    """The statements that let the members of each role read its views.

    Raises:
        ValueError: members are declared for a role that there is not.
    """
    return [
        f"GRANT `{READER}` ON SCHEMA {_path(project, dataset)} TO {_member(member)}"
        for dataset, wanted in sorted(_members(roles, members, place).items())
        for member in sorted(wanted - found.members.get(dataset, frozenset()))
    ]


def let_views_in(
    project: str,
    access: Sequence[Json],
    roles: Iterable[str],
    *,
    known: Iterable[str] = (),
    place: str = CURRENT,
) -> list[Json]:
    """The access list of a dataset of published tables, in which the views of all roles are let in.

    Args:
        project: the project of both.
        access: the list as it is.
        roles: names of all roles.
        known: datasets of views that came from here; those that no role has any more are let out.
        place: what the datasets of the views begin with.
    """
    wanted = [dataset_of(name, place) for name in roles]
    ours = {*wanted, *known}
    kept = [
        entry
        for entry in access
        if entry.get("dataset", {}).get("dataset", {}).get("projectId") != project
        or entry["dataset"]["dataset"].get("datasetId") not in ours
    ]
    return kept + [
        {
            "dataset": {
                "dataset": {"projectId": project, "datasetId": dataset},
                "targetTypes": ["VIEWS"],
            }
        }
        for dataset in wanted
    ]


# --- policy tags ---------------------------------------------------------------------------------


def missing_tags(tags: Mapping[str, str]) -> list[Json]:
    """Bodies of the requests that make the policy tags which a taxonomy lacks, one for each class.

    Args:
        tags: full names of the taxonomy's policy tags by their display names.
    """
    return [
        {"displayName": kind, "description": told}
        for kind, told in CLASSES.items()
        if kind not in tags
    ]


def tags_of(
    relation: Relation, personal_data: PersonalData, tags: Mapping[str, str]
) -> dict[str, str]:
    """The policy tag of each personal column of a relation.

    Raises:
        UndeclaredColumns: the map says nothing about a column.
        KeyError: the taxonomy lacks a class; see `missing_tags`.
    """
    kinds = {column.name: personal_data.class_of(column) for column in relation.columns}
    return {name: tags[kind] for name, kind in kinds.items() if kind is not None}


def tagged(fields: Sequence[Json], tags: Mapping[str, str], taxonomy: str) -> list[Json]:
    """The fields of a table's schema with their policy tags as they are to be.

    A tag of the taxonomy that a column should not have goes; those of other taxonomies are none of
    ours and stay where no tag of this one is wanted.

    Args:
        fields: the fields as BigQuery gave them.
        tags: wanted tags by column.
        taxonomy: the taxonomy's full name.
    """
    wanted = {name.lower(): tag for name, tag in tags.items()}
    result = []
    for each in fields:
        plain = {key: value for key, value in each.items() if key != "policyTags"}
        had = (each.get("policyTags") or {}).get("names", [])
        tag = wanted.get(str(each["name"]).lower())
        if tag is not None:
            plain["policyTags"] = {"names": [tag]}
        elif others := [name for name in had if not name.startswith(f"{taxonomy}/")]:
            plain["policyTags"] = {"names": others}
        elif each.get("policyTags") is not None:
            # An empty list is what takes a tag away; a missing one leaves it.
            plain["policyTags"] = {"names": []}
        result.append(plain)
    return result


def readers_of_tags(
    roles: Mapping[str, Role],
    members: Mapping[str, Sequence[str]],
    tags: Mapping[str, str],
    account: str,
) -> dict[str, list[str]]:
    """Who may read columns of each policy tag: members of roles that are shown it, and the builder.

    Args:
        roles: all roles.
        members: members by role.
        tags: policy tags by class.
        account: the member that builds and checks.
    """
    _members(roles, members)
    return {
        tags[kind]: sorted(
            {
                account,
                *(
                    member
                    for name, role in roles.items()
                    if role.sees_class(kind)
                    for member in members.get(name, ())
                ),
            }
        )
        for kind in CLASSES
        if kind in tags
    }


# --- text ----------------------------------------------------------------------------------------


def _members(
    roles: Mapping[str, Role], members: Mapping[str, Sequence[str]], place: str = CURRENT
) -> dict[str, frozenset[str]]:
    unknown = sorted(set(members) - set(roles))
    if unknown:
        raise ValueError(
            f"the setting bigquery_members gives members to {', '.join(unknown)}, which "
            f"config/roles.yml does not have; allowed: {', '.join(roles)}"
        )
    return {dataset_of(name, place): frozenset(members.get(name, ())) for name in roles}


def quoted(name: str) -> str:
    """A name as a part of a statement.

    Raises:
        ValueError: BigQuery cannot quote it.
    """
    if not name or _NO_NAME.search(name):
        raise ValueError(
            "a name with a backtick, a backslash or a control character cannot be quoted"
        )
    return f"`{name}`"


def _path(project: str, *names: str) -> str:
    return ".".join([quoted(project), *map(quoted, names)])


def _member(member: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", member) + '"'
