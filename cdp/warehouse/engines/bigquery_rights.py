"""Who may read what on BigQuery, brought from what a project has to what is declared.

Belongs here: asking for access lists, members and policy tags, and sending what is to change. Does
not belong here: what is to change (`bigquery_protection`), when (`bigquery_shelf`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cdp.config.personal_data import Column, PersonalData
from cdp.config.roles import Role
from cdp.warehouse.engines import bigquery_protection as protection
from cdp.warehouse.engines.bigquery_protection import Found, Json
from cdp.warehouse.engines.bigquery_store import BigQuery
from cdp.warehouse.engines.checking import google_credentials
from cdp.warehouse.engines.protection import Relation

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.bigquery import AccessEntry

TAGS = "https://datacatalog.googleapis.com/v1"
"""Where policy tags are asked for, which SQL and BigQuery's own client know nothing of."""

_SECONDS = 60


class RightsRefused(RuntimeError):
    """Google did not take a right that is declared; nothing is shown without it."""


class Rights:
    """The rights of one project."""

    def __init__(self, house: BigQuery) -> None:
        self._house = house
        self._settings = house.settings
        self._project = str(house.settings.bigquery_project)

    def let_in(self, dataset: str, roles: Iterable[str], place: str) -> None:
        """Let the views of the roles at a place read a dataset."""
        from google.cloud.bigquery import AccessEntry

        there = self._house.client.get_dataset(f"{self._project}.{dataset}")
        had = [entry.to_api_repr() for entry in there.access_entries]
        wanted = protection.let_views_in(
            self._project,
            had,
            list(roles),
            known=self._datasets_of_views(place),
            place=place,
        )
        if wanted != had:
            there.access_entries = [AccessEntry.from_api_repr(entry) for entry in wanted]
            self._house.client.update_dataset(there, ["access_entries"])

    def admit(self, roles: Mapping[str, Role], place: str, gone: Collection[str] = ()) -> None:
        """Let the members of the roles read their views at a place, and nobody else.

        Args:
            gone: roles that have views there and are declared no more: nobody reads those.
        """
        members = self._settings.bigquery_members
        declared = {name: each for name, each in members.items() if name in roles}
        datasets = {protection.dataset_of(name, place) for name in (*roles, *gone)}
        found = Found(members={each: self._members(each) for each in sorted(datasets)})
        with self._house.session() as session:
            for statement in (
                *protection.revoke(self._project, roles, declared, found, place=place),
                *protection.grant(self._project, roles, declared, found, place=place),
            ):
                session.run(statement)

    def tag(
        self,
        relations: Sequence[Relation],
        roles: Mapping[str, Role],
        personal_data: PersonalData,
    ) -> None:
        """Give each personal column of the relations the policy tag of its class.

        Raises:
            RightsRefused: the taxonomy cannot be read or changed.
        """
        taxonomy = self._settings.bigquery_taxonomy
        if taxonomy is None:
            return
        with self._desk() as desk:
            tags = self._tags(desk, taxonomy)
            readers = protection.readers_of_tags(
                roles, self._settings.bigquery_members, tags, self._account()
            )
            # Before any column has its tag, or whoever builds could not look at it any more.
            for tag, members in readers.items():
                self._let_read(desk, tag, members)
        for relation in relations:
            self._tag_one(relation, personal_data, tags, taxonomy)

    # --- datasets ----------------------------------------------------------------------------

    def _datasets_of_views(self, place: str) -> list[str]:
        begins = f"{place}_"
        listed = self._house.client.list_datasets()
        return [each.dataset_id for each in listed if each.dataset_id.startswith(begins)]

    def _members(self, dataset: str) -> frozenset[str]:
        there = self._house.client.get_dataset(f"{self._project}.{dataset}")
        return frozenset(
            member
            for entry in there.access_entries
            if entry.role in ("READER", protection.READER) and (member := _member(entry))
        )

    # --- policy tags -------------------------------------------------------------------------

    def _tag_one(
        self,
        relation: Relation,
        personal_data: PersonalData,
        tags: Mapping[str, str],
        taxonomy: str,
    ) -> None:
        from google.cloud.bigquery import SchemaField

        table = self._house.client.get_table(f"{self._project}.{'.'.join(relation.place)}")
        had = [field.to_api_repr() for field in table.schema]
        wanted = protection.tagged(had, protection.tags_of(relation, personal_data, tags), taxonomy)
        if wanted != had:
            table.schema = [SchemaField.from_api_repr(field) for field in wanted]
            self._house.client.update_table(table, ["schema"])

    def _tags(self, desk: AuthorizedSession, taxonomy: str) -> dict[str, str]:
        """The taxonomy's tags by the class that each stands for, none of which is missing."""
        found: dict[str, str] = {}
        page = ""
        while True:
            told = self._told(desk, "get", f"{taxonomy}/policyTags?pageSize=100&pageToken={page}")
            found |= {each["displayName"]: each["name"] for each in told.get("policyTags", [])}
            page = told.get("nextPageToken", "")
            if not page:
                break
        for body in protection.missing_tags(found):
            made = self._told(desk, "post", f"{taxonomy}/policyTags", body)
            found[made["displayName"]] = made["name"]
        return found

    def _let_read(self, desk: AuthorizedSession, tag: str, members: Sequence[str]) -> None:
        policy = self._told(desk, "post", f"{tag}:getIamPolicy", {})
        others = [
            each for each in policy.get("bindings", []) if each["role"] != protection.TAG_READER
        ]
        ours = {"role": protection.TAG_READER, "members": list(members)}
        wanted = [*others, ours]
        if wanted != policy.get("bindings", []):
            # With its etag, so that a change by somebody else meanwhile is refused.
            self._told(
                desk, "post", f"{tag}:setIamPolicy", {"policy": {**policy, "bindings": wanted}}
            )

    def _desk(self) -> AuthorizedSession:
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(google_credentials(self._settings))  # type: ignore[no-untyped-call]

    def _told(
        self, desk: AuthorizedSession, how: str, what: str, body: Json | None = None
    ) -> dict[str, Any]:
        answer = desk.request(how, f"{TAGS}/{what}", json=body, timeout=_SECONDS)  # type: ignore[no-untyped-call]
        if not answer.ok:
            raise RightsRefused(
                f"Google's Data Catalog answers {how} {what.partition('?')[0]} with code "
                f"{answer.status_code}; see that bigquery_taxonomy (CDP_BIGQUERY_TAXONOMY) names a "
                "taxonomy of the project and that the account has the roles Data Catalog Admin and "
                "Policy Tag Admin"
            )
        told: dict[str, Any] = answer.json()
        return told

    def _account(self) -> str:
        """The member that this process is."""
        with self._house.session() as session:
            ((name,),) = session.fetched("SELECT SESSION_USER() AS name").to_pydict().values()
        kind = "serviceAccount" if name.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{name}"


def relation_of(place: str, name: str, columns: tuple[Column, ...]) -> Relation:
    """A table of a set, for its tags: which roles read it is nothing to them."""
    return Relation(place, name, False, columns, ())


def _member(entry: AccessEntry) -> str | None:
    """An entry of an access list as a member; None for one that is no person's."""
    name = str(entry.entity_id)
    if entry.entity_type == "userByEmail":
        kind = "serviceAccount" if name.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{name}"
    if entry.entity_type == "groupByEmail":
        return f"group:{name}"
    if entry.entity_type == "domain":
        return f"domain:{name}"
    return name if entry.entity_type == "iamMember" else None
