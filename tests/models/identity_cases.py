"""Small stories of who is who, each with the people that must come out of it.

Belongs here: the stories' rows and what is right. Does not belong here: landing them, comparing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.models.landed_rows import Row
from tests.models.worlds import START


@dataclass
class Case:
    """A story: messages and rows, and the identifiers of each person in it.

    Every identifier is called after the story, so that stories share a warehouse.
    """

    name: str
    people: list[set[str]]
    rows: list[Row] = field(default_factory=list)

    def says(self, kind: str = "identify", **message: Any) -> Case:
        """A message, a day after the one before."""
        at = START + timedelta(days=len(self.rows))
        key = f"m:{self.name}-{len(self.rows)}"
        self.rows.append(Row("web", "events", {"type": kind, **message}, key, at))
        return self

    def has(self, source: str, stream: str, **row: Any) -> Case:
        """A version of a row."""
        key = f"k:{row['id']}:{len(self.rows)}"
        self.rows.append(Row(source, stream, row, key))
        return self

    def loses(self, source: str, stream: str, **row: Any) -> Case:
        """A row found gone, which says again what it said last."""
        key = f"d:{row['id']}:{len(self.rows)}"
        self.rows.append(Row(source, stream, row, key, is_deleted=True))
        return self


def _with(*external_ids: Any) -> dict[str, Any]:
    return {"externalIds": list(external_ids)}


def _entry(kind: Any, value: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": value, **more}


CASES = [
    # --- aliases ---
    Case("alias-of-a-device", [{"user_id=ad-u", "anonymous_id=ad-d"}])
    .says(anonymousId="ad-d")
    .says("alias", userId="ad-u", previousId="ad-d"),
    Case("alias-before-its-device-is-seen", [{"user_id=ab-u", "anonymous_id=ab-d"}])
    .says("alias", userId="ab-u", previousId="ab-d")
    .says(anonymousId="ab-d"),
    Case(
        "alias-of-a-former-user-id",
        [{"user_id=au-old", "user_id=au-new", "anonymous_id=au-d1", "anonymous_id=au-d2"}],
    )
    .says(userId="au-old", anonymousId="au-d1")
    .says("alias", userId="au-new", previousId="au-old")
    .says(userId="au-new", anonymousId="au-d2"),
    Case(
        "alias-before-its-former-user-id-is-seen",
        [{"user_id=ae-old", "user_id=ae-new", "anonymous_id=ae-d"}],
    )
    .says("alias", userId="ae-new", previousId="ae-old")
    .says(userId="ae-old", anonymousId="ae-d"),
    Case("aliases-in-a-row", [{"user_id=ar-1", "user_id=ar-2", "user_id=ar-3"}])
    .says(userId="ar-1")
    .says("alias", userId="ar-2", previousId="ar-1")
    .says("alias", userId="ar-3", previousId="ar-2"),
    Case("aliases-in-a-circle", [{"user_id=ac-1", "user_id=ac-2"}])
    .says("alias", userId="ac-2", previousId="ac-1")
    .says("alias", userId="ac-1", previousId="ac-2"),
    Case("alias-to-oneself", [{"user_id=as-u"}, {"anonymous_id=as-d"}])
    .says("alias", userId="as-u", previousId="as-u")
    .says(anonymousId="as-d"),
    Case("alias-with-a-user-id-only", [{"user_id=ao-u"}]).says("alias", userId="ao-u"),
    Case("alias-of-nobody", [{"user_id=an-u"}, {"user_id=an-v"}])
    .says("alias", userId="an-u", previousId="null")
    .says("alias", userId="an-v", previousId="null"),
    Case("alias-of-what-is-never-seen", [{"user_id=av-u"}]).says(
        "alias", userId="av-u", previousId="av-never"
    ),
    Case(
        "alias-of-what-is-both-a-device-and-a-user",
        [{"user_id=aa-x", "anonymous_id=aa-x", "user_id=aa-u"}],
    )
    .says(userId="aa-x")
    .says(anonymousId="aa-x")
    .says("alias", userId="aa-u", previousId="aa-x"),
    # A terminal where everybody who signs in becomes an alias of the one before.
    Case("a-terminal-of-aliases", [{f"user_id=at-{n}"} for n in range(7)])
    .says(userId="at-0")
    .says("alias", userId="at-1", previousId="at-0")
    .says("alias", userId="at-2", previousId="at-1")
    .says("alias", userId="at-3", previousId="at-2")
    .says("alias", userId="at-4", previousId="at-3")
    .says("alias", userId="at-5", previousId="at-4")
    .says("alias", userId="at-6", previousId="at-5"),
    # One profile has one user id: a shared device does not make two users one, nor by an alias.
    Case(
        "an-alias-is-not-for-others",
        [{"user_id=ax-1", "user_id=ax-2", "anonymous_id=ax-d"}, {"user_id=ax-3"}],
    )
    .says(userId="ax-1", anonymousId="ax-d")
    .says("alias", userId="ax-2", previousId="ax-1")
    .says(userId="ax-3", anonymousId="ax-d"),
    # --- merged accounts ---
    Case("merged-accounts", [{"user_id=ma-1", "user_id=ma-2"}])
    .has("shop", "customers", id="ma-1")
    .has("shop", "customers", id="ma-2", into="ma-1"),
    # --- versions ---
    Case("all-versions-count", [{"user_id=vc-1", "email=vc-a@x.example", "email=vc-b@x.example"}])
    .has("shop", "customers", id="vc-1", email="vc-a@x.example")
    .has("shop", "customers", id="vc-1", email="vc-b@x.example")
    .has("shop", "customers", id="vc-1"),
    Case("a-row-found-gone-keeps-its-evidence", [{"user_id=vg-1", "email=vg@x.example"}])
    .has("shop", "customers", id="vg-1", email="vg@x.example")
    .has("shop", "customers", id="vg-1")
    .loses("shop", "customers", id="vg-1"),
    Case("a-version-that-no-map-takes-says-nothing", [{"user_id=vq-1"}])
    .says(userId="vq-1")
    .has("shop", "orders", id="vq-o", kind="quote", customer="vq-1", email="vq@x.example")
    .loses("shop", "orders", id="vq-o", kind="quote", customer="vq-1", email="vq@x.example"),
    # --- ids of other systems ---
    Case("external-ids", [{"user_id=ei-u", "ios.idfa=ei-i", "crm_id=ei-c", "email=ei@x.example"}])
    .says(userId="ei-u", context=_with(_entry("ios.idfa", "ei-i", collection="users")))
    .says(anonymousId="null", context=_with(_entry("ios.idfa", "ei-i"), _entry("crm_id", "ei-c")))
    .has("crm", "contacts", id="ei-c", email=" EI@x.example"),
    Case("an-external-user-id-is-one", [{"user_id=eu-u", "anonymous_id=eu-d"}])
    .says(anonymousId="eu-d", context=_with(_entry("user_id", "eu-u")))
    .says(userId="eu-u"),
    Case("odd-external-ids", [{"user_id=eo-u"}])
    .says(userId="eo-u", context=_with(_entry("email", 7), _entry(None, "eo-1"), "eo-2", [], None))
    .says(userId="eo-u", context={"externalIds": _entry("crm_id", "eo-3")})
    .says(userId="eo-u", context={"externalIds": {"crm_id": _entry("crm_id", "eo-4")}})
    .says(userId="eo-u", context={"externalIds": "[{"})
    .says(userId="eo-u", context=_with(_entry("crm_id", {"id": "eo-5"}), _entry("crm_id", "  ")))
    .says(userId="eo-u", context=_with(_entry("crm_id", True), _entry(["crm_id"], "eo-6")))
    # What looks like somebody's details is no name of a type.
    .says(userId="eo-u", context=_with(_entry("eo@x.example", "eo-7"), _entry("Eo Smith", "eo-8"))),
    Case("accounts-are-not-people", [{"user_id=ea-u"}, {"user_id=ea-v"}])
    .says(userId="ea-u", context=_with(_entry("group_id", "ea-g")))
    .says(userId="ea-v", context=_with(_entry("group_id", "ea-g")))
    .says(userId="ea-u", context=_with(_entry("tax_id", "ea-t", collection="accounts")))
    .says(userId="ea-v", context=_with(_entry("tax_id", "ea-t", collection="accounts"))),
    Case(
        "an-encoded-id-is-of-another-type",
        [{"user_id=ec-u", "user_id:sha256=ec-v"}, {"user_id=ec-v"}],
    )
    .says(userId="ec-u", context=_with(_entry("user_id", "ec-v", encoding="SHA256")))
    .says(userId="ec-v"),
]
