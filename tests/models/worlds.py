"""Many tiny worlds of a few people each, whose rows say the oddest things about who is who.

Belongs here: making rows from a seed. Worlds share no identifier that is anybody's own, so hundreds
of them are tried at the cost of one warehouse. Does not belong here: landing them, any expectation.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from tests.models.landed_rows import Row

START = datetime(2026, 6, 1)


class World:
    """The rows of one world; what it can say is small, so that it says the same often."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        # Of its own, so that who is called what changes nothing else.
        self._naming = random.Random(f"names of {number}")
        self._name = f"w{number}"
        self._number = number
        self._versions = 0
        self.rows: list[Row] = []
        self._former: dict[tuple[str, str], dict[str, Any]] = {}
        for _ in range(self._random.randint(4, 16)):
            self._random.choices(
                [self._event, self._alias, self._customer, self._contact, self._order, self._gone]
                + [self._listed],
                weights=[6, 2, 3, 3, 2, 1, 1],
            )[0]()
        for row in list(self.rows):
            # The same said again under another key lands again.
            if row.source == "web" and self._random.random() < 0.15:
                self._tell_event(dict(row.payload), row.occurred_at)

    def _one(self, kind: str, count: int) -> str:
        return f"{self._name}-{kind}{self._random.randrange(count)}"

    def _user(self) -> str:
        return self._random.choice([self._one("u", 4), self._one("u", 4), "null", "0"])

    def _device(self) -> str:
        # A user id that is somebody's device id too.
        return self._random.choice([self._one("d", 4)] * 6 + [f"{self._name}-u0"])

    def _email(self) -> str:
        plain = f"{self._one('e', 4)}@example.org"
        spelled = [plain, plain, plain.upper(), f" {plain}", "test@example.org"]
        return self._random.choice(spelled)

    def _phone(self) -> str:
        local = f"30{self._number:05d}{self._random.randrange(2)}"
        spelled = [f"+49{local}", f"0{local}", f"0{local[:2]} {local[2:]}"]
        # A hotline that people of all worlds give instead of their own number.
        return self._random.choice([*spelled, "0800 1234567"])

    def _called(self) -> str | None:
        one = self._naming.randrange(5)
        plain = f"Ann{one} Bell{one}{self._name}"
        spelled = [
            plain,
            plain.upper(),
            plain.replace(" ", "."),
            f" Ánn{one}  Bell{one}{self._name}",
        ]
        # A word alone tells nobody.
        return self._naming.choice([*spelled, None, None, "Kim", "?"])

    def _at(self) -> datetime:
        # Few moments, so that many are the same.
        return START + timedelta(days=self._random.randrange(4))

    def _maybe(self, made: Any, likely: float = 0.5) -> Any:
        return made() if self._random.random() < likely else None

    def _tell_event(self, message: dict[str, Any], at: datetime) -> None:
        key = f"m:{self._name}-{len(self.rows)}"
        told = {name: value for name, value in message.items() if value is not None}
        self.rows.append(Row("web", "events", told, key, at))

    def _event(self) -> None:
        message: dict[str, Any] = {
            "type": "identify",
            "userId": self._maybe(self._user),
            "anonymousId": self._maybe(self._device, 0.8) or self._device(),
            "traits": {"email": self._maybe(self._email), "phone": self._maybe(self._phone, 0.2)},
            "context": {"externalIds": self._maybe(self._external_ids, 0.4)},
        }
        if self._random.random() < 0.1:
            message["context"]["userAgent"] = "Googlebot/2.1"
        self._tell_event(message, self._at())

    def _external_ids(self) -> Any:
        odd: list[Any] = [{}, {"id": "x"}, {"type": "email"}, 7, None, "text", ["x"]]
        odd += [{"id": 12, "type": "user_id"}, {"id": {"a": 1}, "type": "user_id"}]
        odd += [{"id": "x", "type": ["user_id"]}, {"id": True, "type": "user_id"}]
        odd += [{"id": " ", "type": "user_id"}, {"id": "acme", "type": "group_id"}]
        odd += [{"id": "acme", "type": "tax_id", "collection": "accounts"}]
        good: list[dict[str, Any]] = [
            {"id": self._one("u", 4), "type": "user_id", "collection": "users"},
            {"id": self._email(), "type": "email", "encoding": "none"},
            {"id": self._phone(), "type": "Phone"},
            {"id": self._one("idfa", 2), "type": "ios.idfa"},
            {"id": self._one("ga", 2), "type": "ga_client_id"},
            {"id": self._one("loyal", 2), "type": "loyalty_card"},
            {"id": self._one("c", 3), "type": "crm_id"},
        ]
        entries = self._random.sample(good, self._random.randint(0, 3))
        entries += self._random.sample(odd, self._random.randint(0, 2))
        self._random.shuffle(entries)
        return self._random.choice([entries] * 8 + [{"email": entries}, "ids", 3, []])

    def _alias(self) -> None:
        user = self._user()
        previous = self._random.choice([self._user(), self._device(), user, None])
        self._tell_event(
            {
                "type": "alias",
                "userId": user if self._random.random() < 0.9 else None,
                "previousId": previous,
                "anonymousId": self._maybe(self._device, 0.3),
            },
            self._at(),
        )

    def _version(self, source: str, stream: str, row: dict[str, Any], **keys: Any) -> None:
        self._versions += 1
        told = {**row, "version": str(self._versions), "at": self._maybe(self._moment, 0.7)}
        self._former[stream, row["id"]] = told
        key = f"k:{row['id']}:{self._versions}"
        self.rows.append(Row(source, stream, told, key, **keys))

    def _moment(self) -> str:
        return self._at().isoformat() + "Z"

    def _customer(self) -> None:
        row = {
            "id": self._one("u", 4),
            "email": self._maybe(self._email, 0.7),
            "phone": self._maybe(self._phone, 0.3),
            "land": self._maybe(lambda: "DE"),
            "name": self._called(),
            "into": self._maybe(lambda: self._one("u", 4), 0.2),
        }
        self._version("shop", "customers", row)

    def _contact(self) -> None:
        merged = [self._one("c", 3) for _ in range(self._random.randint(0, 2))]
        row = {
            "id": self._one("c", 3),
            "email": self._maybe(self._email, 0.7),
            "phone": self._maybe(self._phone, 0.3),
            "merged": ";".join(merged) or None,
            "name": self._called(),
        }
        self._version("crm", "contacts", row)

    def _order(self) -> None:
        row = {
            "id": self._one("o", 2),
            "kind": self._random.choice(["sale", "sale", "quote"]),
            "customer": self._maybe(lambda: self._one("u", 4)),
            "email": self._maybe(self._email),
            "device": self._maybe(self._device, 0.3),
        }
        self._version("shop", "orders", row)

    def _gone(self) -> None:
        """The tombstone of a row says again what the row said last."""
        if not self._former:
            return
        (stream, identifier), row = self._random.choice(sorted(self._former.items(), key=str))
        source = "crm" if stream == "contacts" else "shop"
        self._versions += 1
        key = f"d:{identifier}:{self._versions}"
        self.rows.append(Row(source, stream, row, key, is_deleted=True))

    def _listed(self) -> None:
        kind, subject = self._random.choice(
            [
                ("email", self._email()),
                ("user_id", self._one("u", 4)),
                ("crm_id", self._one("c", 3)),
            ]
        )
        row = {"list": "letter", "type": kind, "subject": subject, "at": self._moment()}
        self._versions += 1
        key = f"k:{self._name}-letter-{subject}:{self._versions}"
        self.rows.append(Row("crm", "lists", row, key))


def rows_of_worlds(count: int, seed: int) -> list[Row]:
    """The rows of some worlds, those of each in their order, the worlds mixed."""
    mixing = random.Random(seed)
    queues = [World(seed * 10_000 + number).rows for number in range(count)]
    picks = [at for at, queue in enumerate(queues) for _ in queue]
    mixing.shuffle(picks)
    taken = [0] * len(queues)
    rows = []
    for at in picks:
        rows.append(queues[at][taken[at]])
        taken[at] += 1
    return rows


def cut(rows: list[Row], parts: int, seed: int) -> list[list[Row]]:
    """The rows in their order, cut into that many parts anywhere."""
    places = sorted(random.Random(seed).sample(range(1, len(rows)), parts - 1))
    return [rows[start:end] for start, end in zip([0, *places], [*places, len(rows)], strict=True)]
