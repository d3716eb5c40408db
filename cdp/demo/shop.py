"""Generating the demo shop: all sources and the truth beside them, chunk by chunk.

Belongs here: the order of work, files and folders, and the promise that the same arguments give
the same bytes. Does not belong here: what people do (`behaviour`) or how it is spelled
(`messages`).
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from cdp.demo.behaviour import Events, behave
from cdp.demo.broken import broken_lines
from cdp.demo.cases import Cast, cast
from cdp.demo.commerce import Commerce, ShopDatabase, trade
from cdp.demo.contacts import COLUMNS, Row, csv_line, keep_consents, keep_contacts
from cdp.demo.lines import SingleLine
from cdp.demo.messages import (
    Clock,
    MessageIds,
    Numbered,
    ascii_array,
    message_ids,
    number_fragments,
    render,
)
from cdp.demo.people import DAY, Bools, Ints, Population, Window, populate
from cdp.demo.rates import Rates, read_rates
from cdp.demo.tables import SCHEMAS, TruthFiles, chosen, repeated
from cdp.demo.truth import (
    Known,
    count_sessions,
    count_single_sessions,
    judge,
    learn_act,
    learn_events,
    learn_orders,
)

SHOP_END = datetime(2026, 6, 30, 12, tzinfo=UTC)
"""The moment at which the shop ends, and for which its truth holds."""
DEFAULT_SEED = 20260630
PEOPLE_PER_CHUNK = 5_000
_RECEIPT = "demo/shop.json"
_SEED_OF_RATES = Path(__file__).resolve().parents[2] / "dbt_project/seeds/exchange_rates.csv"
_PLATFORMS = ("mobile", "web")
"""In the order in which their files of one day are named, and so landed."""


class ForeignFiles(FileExistsError):
    """The data home holds sources that no earlier call of the generator wrote."""


@dataclass(frozen=True)
class DemoShop:
    """What was generated, and where it lies."""

    home: Path
    people: int
    days: int
    seed: int
    end: datetime
    event_lines: int
    orders: int
    contacts: int
    consents: int
    files: tuple[str, ...]
    """All files, below the home."""

    def truth(self, name: str) -> Path:
        """The file with one part of the truth: rows, outcomes, profiles, sessions or segments."""
        return self.home / "truth" / f"{name}.parquet"


def generate(
    home: Path,
    people: int = 5_000,
    days: int = 90,
    seed: int = DEFAULT_SEED,
    end: datetime = SHOP_END,
    *,
    rates_file: Path = _SEED_OF_RATES,
    people_per_chunk: int = PEOPLE_PER_CHUNK,
    on_progress: Callable[[int, int], None] | None = None,
) -> DemoShop:
    """Write the demo shop below `home`: landing files, the shop's database, and the truth.

    An earlier shop there is replaced. The same arguments give the same bytes. Memory is bounded by
    `people_per_chunk`, not by `people`.

    Args:
        people: shoppers; staff, bots and a small cast of boundary cases come on top.
        days: how far back from `end` they are active.
        end: the shop's last moment; the truth holds for it. Without a zone it is UTC.
        on_progress: called after each chunk with the people done and the people in all.

    Raises:
        ForeignFiles: files stand in the way that no earlier shop left.
        ValueError: `people` or `days` is less than 1.
    """
    if people < 1 or days < 1:
        raise ValueError(f"a shop needs people and days: got {people} people, {days} days")
    end = end.replace(tzinfo=UTC) if end.tzinfo is None else end.astimezone(UTC)
    end_ms = int(end.timestamp() * 1000)
    window = Window(end_ms - days * DAY, end_ms)
    _make_room(home)
    work = _Work(home, window, seed, read_rates(rates_file))
    with TruthFiles(home / "truth") as truth:
        work.write_products(truth)
        for chunk, first in enumerate(range(0, people, people_per_chunk)):
            count = min(people_per_chunk, people - first)
            work.write_chunk(truth, chunk, first, count)
            if on_progress:
                on_progress(first + count, people)
    work.database.close()
    shop = DemoShop(
        home=home,
        people=people,
        days=days,
        seed=seed,
        end=end,
        event_lines=work.event_lines,
        orders=work.orders,
        contacts=work.contacts,
        consents=work.consents,
        files=tuple(sorted([*work.files, _RECEIPT])),
    )
    receipt = {**asdict(shop), "end": end.isoformat()}
    del receipt["home"]
    # Before any file has its name, so that a call cut off from here on leaves nothing unknown.
    (home / _RECEIPT).write_text(json.dumps(receipt, indent=1) + "\n")
    work.publish()
    return shop


def _make_room(home: Path) -> None:
    """Remove the shop that an earlier call left, and nothing else."""
    receipt = home / _RECEIPT
    if receipt.exists():
        # The receipt goes last, so that a call that was cut off here is made good by the next.
        for name in json.loads(receipt.read_text())["files"]:
            if name != _RECEIPT:
                (home / name).unlink(missing_ok=True)
        receipt.unlink()
    for folder in ("landing/web", "landing/crm", "landing/consent", "demo", "truth"):
        (home / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and path.suffix not in (".part", ".parquet"):
                raise ForeignFiles(
                    f"{path} was not written by the demo shop; move it away, or choose another "
                    f"data home, before generating a shop there"
                )


@dataclass(frozen=True)
class _Placed:
    """The drawn lines of one platform in their final order, a repeated line once more."""

    row: Ints
    day: Ints
    moment: Ints
    repeated: Bools


class _Work:
    """The files under way and what they hold so far."""

    def __init__(self, home: Path, window: Window, seed: int, rates: Rates) -> None:
        self._home, self._window, self._seed, self._rates = home, window, seed, rates
        self.event_lines = self.orders = self.contacts = self.consents = 0
        self.files: list[str] = [f"truth/{name}.parquet" for name in SCHEMAS]
        for leftover in (home / "landing").rglob("*.part"):
            leftover.unlink()
        shop = self._new_file("demo/shop.sqlite")
        shop.unlink(missing_ok=True)
        self.database = ShopDatabase(shop)

    def _new_file(self, name: str) -> Path:
        """A file that carries its name once everything is written."""
        self.files.append(name)
        path = self._home / f"{name}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def publish(self) -> None:
        """Give all files their names."""
        for name in self.files:
            part = self._home / f"{name}.part"
            if part.exists():
                os.replace(part, self._home / name)

    def write_products(self, truth: TruthFiles) -> None:
        """Write the catalogue."""
        count = self.database.add_products(self._window)
        _add_outcomes(truth, "shop", "products", None, [None] * count)

    def write_chunk(self, truth: TruthFiles, chunk: int, first: int, count: int) -> None:
        """Draw the people of one chunk and write everything that they leave behind."""
        # Each chunk has its own randomness, so that it does not depend on how many there are.
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, chunk])))
        window = self._window
        population = populate(rng, chunk, first, count)
        events = behave(rng, population, window)
        latest = np.maximum(window.end - events.at, 0)
        events.delay[:] = np.minimum(events.delay, latest)
        commerce, order_bodies = trade(rng, population, events, window, chunk)
        contacts = keep_contacts(rng, population, commerce, window, chunk)
        consents = keep_consents(rng, population, events, window, chunk)
        numbered = number_fragments(rng, population, events, order_bodies)
        ids = message_ids(rng, len(events))
        players = cast(window.end) if chunk == 0 else Cast(window.end)
        single = [*players.lines, *(broken_lines(rng, window) if chunk == 0 else ())]
        commerce.customers += players.customers
        commerce.orders += players.orders

        known: dict[str, Known] = {}
        rank = np.zeros(len(events), np.int64)
        placing = _place(rng, population, events)
        for platform, placed in placing.items():
            self._write_events(
                truth,
                chunk,
                platform,
                placed,
                population,
                events,
                numbered,
                ids,
                single,
                rank,
                known,
            )
        learn_events(known, population, events, rank, window.end)
        for person in players.people:
            known.setdefault(person.person_id, Known(person.kind.label))
        self.database.add(commerce)
        learn_orders(known, commerce.orders)
        self._add_shop_truth(truth, commerce)
        for rows, days_ago in ((contacts.first_export, 30), (contacts.second_export, 1)):
            day = _day_text(window.end // DAY - days_ago)
            name = f"landing/crm/contacts-{day}-{chunk:04d}.csv"
            self._write_rows(truth, "crm", "contacts", name, rows, csv_line(list(COLUMNS)))
        day = _day_text(window.end // DAY)
        name = f"landing/consent/consents-{day}-{chunk:04d}.ndjson"
        self._write_rows(truth, "consent", "consents", name, consents, "")
        self.orders += len(commerce.orders)
        self.contacts += len(contacts.first_export) + len(contacts.second_export)
        self.consents += len(consents)
        self._add_verdicts(truth, known)
        sessions = [
            *count_sessions(population, events),
            *count_single_sessions(single, window.end),
        ]
        truth.add(
            "sessions",
            {
                "anonymous_id": [each.anonymous_id for each in sessions],
                "person_id": [each.person_id for each in sessions],
                "session_count": [each.session_count for each in sessions],
                "event_count": [each.event_count for each in sessions],
            },
        )

    # --- events --------------------------------------------------------------------------------

    def _write_events(
        self,
        truth: TruthFiles,
        chunk: int,
        platform: str,
        placed: _Placed,
        population: Population,
        events: Events,
        numbered: Numbered,
        ids: MessageIds,
        single: list[SingleLine],
        rank: Ints,
        known: dict[str, Known],
    ) -> None:
        window = self._window
        clock = Clock(window.start - 45 * DAY, window.end)
        lines = render(
            numbered, events, placed.row, ids, population.device_skew, clock, platform == "web"
        )
        offsets = np.frombuffer(lines.buffers()[1], np.int32)[: len(lines) + 1]
        buffer = memoryview(lines.buffers()[2]) if len(lines) else memoryview(b"")
        mine = sorted(
            (each for each in single if each.platform == platform), key=lambda each: each.placed_at
        )
        single_day = np.array([each.placed_at // DAY for each in mine], np.int64)
        # A single line stands before the first drawn line that arrived after it.
        slot = np.searchsorted(
            placed.day * (10 * DAY) + placed.moment - placed.day * DAY,
            [each.placed_at // DAY * (10 * DAY) + each.placed_at % DAY for each in mine],
        )
        days = np.unique(np.concatenate([placed.day, single_day]))
        names = [
            f"landing/web/{_day_text(int(day))}/{platform}-{chunk:04d}.ndjson.gz" for day in days
        ]
        start = np.searchsorted(placed.day, days)
        stop = np.searchsorted(placed.day, days, side="right")
        file_of = np.searchsorted(days, placed.day)
        first_single = np.searchsorted(single_day, days)
        before = np.searchsorted(slot, np.arange(len(placed.row)), side="right")
        line = np.arange(len(placed.row)) - start[file_of] + before - first_single[file_of] + 1
        side = _PLATFORMS.index(platform)

        def place(day: Ints, at_line: Ints) -> Ints:
            return day * 2**40 + side * 2**36 + at_line

        originals = ~placed.repeated
        rank[placed.row[originals]] = place(placed.day, line)[originals]

        def content(number: int) -> Iterator[memoryview | bytes]:
            at = start[number]
            its = np.flatnonzero(single_day == days[number]).tolist()
            for each in its:
                yield buffer[offsets[at] : offsets[slot[each]]]
                yield mine[each].data + b"\n"
                at = slot[each]
            yield buffer[offsets[at] : offsets[stop[number]]]

        paths = [self._new_file(name) for name in names]

        def write(number: int) -> None:
            _write_gzip(paths[number], content(number))

        # Compression releases the interpreter's lock.
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(write, range(len(names))))
        self.event_lines += len(placed.row) + len(mine)

        keys = ascii_array(ids[placed.row])
        person_ids = [person.person_id for person in population.people]
        kinds = [person.kind.label for person in population.people]
        owner = events.person[placed.row]
        number = len(placed.row)
        truth.add(
            "outcomes",
            {
                "source": repeated("web", number),
                "stream": repeated("events", number),
                "file": chosen(names, file_of),
                "line": line,
                "row_key": keys,
                "outcome": chosen(["landed", "duplicate"], placed.repeated.astype(np.int64)),
                "reason": repeated(None, number),
            },
        )
        truth.add(
            "rows",
            {
                "source": repeated("web", int(originals.sum())),
                "stream": repeated("events", int(originals.sum())),
                "row_key": keys.filter(pa.array(originals)),
                "file": chosen(names, file_of[originals]),
                "line": line[originals],
                "person_id": chosen(person_ids, owner[originals]),
                "kind": chosen(kinds, owner[originals]),
                "determined": pa.array(events.determined[placed.row][originals]),
            },
        )
        if not mine:
            return
        single_file = np.searchsorted(days, single_day)
        single_line = (
            slot - start[single_file] + np.arange(len(mine)) - first_single[single_file] + 1
        )
        truth.add(
            "outcomes",
            {
                "source": repeated("web", len(mine)),
                "stream": repeated("events", len(mine)),
                "file": chosen(names, single_file),
                "line": single_line,
                "row_key": [each.message_id for each in mine],
                "outcome": [each.outcome for each in mine],
                "reason": [each.reason for each in mine],
            },
        )
        landed = np.array([each.outcome == "landed" for each in mine])
        whose = [each for each in mine if each.outcome == "landed"]
        truth.add(
            "rows",
            {
                "source": repeated("web", len(whose)),
                "stream": repeated("events", len(whose)),
                "row_key": [each.message_id for each in whose],
                "file": chosen(names, single_file[landed]),
                "line": single_line[landed],
                "person_id": [each.person_id for each in whose],
                "kind": [each.kind for each in whose],
                "determined": [True] * len(whose),
            },
        )
        for each, its_place in zip(mine, place(single_day, single_line).tolist(), strict=True):
            if each.person_id and each.act:
                learn_act(known, each.person_id, each.kind, each.act, its_place, window.end)

    # --- everything else -----------------------------------------------------------------------

    def _add_shop_truth(self, truth: TruthFiles, commerce: Commerce) -> None:
        customers = [
            (each.person.user_id, each.person.person_id, True) for each in commerce.customers
        ]
        orders = [(each.order_no, each.person_id, each.determined) for each in commerce.orders]
        lines = [
            (f"{each.order_no}/{number}", each.person_id, each.determined)
            for each in commerce.orders
            for number in range(1, len(each.lines) + 1)
        ]
        refunds = [
            (refund.refund_no, each.person_id, each.determined)
            for each in commerce.orders
            for refund in each.refunds
        ]
        for stream, rows in (
            ("customers", customers),
            ("orders", orders),
            ("order_lines", lines),
            ("refunds", refunds),
        ):
            keys = [str(key) for key, _, _ in rows]
            _add_outcomes(truth, "shop", stream, None, keys)
            count = len(rows)
            truth.add(
                "rows",
                {
                    "source": repeated("shop", count),
                    "stream": repeated(stream, count),
                    "row_key": keys,
                    "file": repeated(None, count),
                    "line": [None] * count,
                    "person_id": [person_id for _, person_id, _ in rows],
                    "kind": repeated("person", count),
                    "determined": [determined for _, _, determined in rows],
                },
            )

    def _write_rows(
        self, truth: TruthFiles, source: str, stream: str, name: str, rows: list[Row], header: str
    ) -> None:
        text = header + "".join(row.line for row in rows)
        self._new_file(name).write_bytes(text.encode())
        first = 2 if header else 1
        count = len(rows)
        lines = list(range(first, first + count))
        truth.add(
            "outcomes",
            {
                "source": repeated(source, count),
                "stream": repeated(stream, count),
                "file": repeated(name, count),
                "line": lines,
                "row_key": [row.key for row in rows],
                "outcome": [row.outcome for row in rows],
                "reason": [row.reason for row in rows],
            },
        )
        landed = [number for number, row in enumerate(rows) if row.outcome == "landed"]
        truth.add(
            "rows",
            {
                "source": repeated(source, len(landed)),
                "stream": repeated(stream, len(landed)),
                "row_key": [rows[number].key for number in landed],
                "file": repeated(name, len(landed)),
                "line": [lines[number] for number in landed],
                "person_id": [rows[number].person_id for number in landed],
                "kind": repeated("person", len(landed)),
                "determined": [rows[number].determined for number in landed],
            },
        )

    def _add_verdicts(self, truth: TruthFiles, known: dict[str, Known]) -> None:
        profiles = [
            judge(person_id, its, self._rates, self._window.end) for person_id, its in known.items()
        ]
        truth.add(
            "profiles",
            {
                "person_id": [each.person_id for each in profiles],
                "kind": [each.kind for each in profiles],
                "whole": [each.whole for each in profiles],
                "first_seen": [each.first_seen for each in profiles],
                "last_seen": [each.last_seen for each in profiles],
                "event_count": [each.event_count for each in profiles],
                "order_count": [each.order_count for each in profiles],
                "total_spent": [each.total_spent for each in profiles],
                "first_purchase_date": [each.first_purchase for each in profiles],
                "last_purchase_date": [each.last_purchase for each in profiles],
            },
        )
        members = [(name, each.person_id) for each in profiles for name in each.segments]
        truth.add(
            "segments",
            {
                "segment": [name for name, _ in members],
                "person_id": [person_id for _, person_id in members],
            },
        )


def _add_outcomes(
    truth: TruthFiles, source: str, stream: str, file: str | None, keys: list[str] | list[None]
) -> None:
    count = len(keys)
    truth.add(
        "outcomes",
        {
            "source": repeated(source, count),
            "stream": repeated(stream, count),
            "file": repeated(file, count),
            "line": [None] * count,
            "row_key": keys,
            "outcome": repeated("landed", count),
            "reason": repeated(None, count),
        },
    )


def _place(rng: np.random.Generator, population: Population, events: Events) -> dict[str, _Placed]:
    """Put the drawn lines in the order of the files: by arrival, a little mixed up, some twice."""
    received = events.at + events.delay
    jitter = (rng.random(len(events)) * 5_000).astype(np.int64)
    # Lines are mixed up within the day of their arrival, never beyond it.
    moment = np.minimum(received + jitter, received // DAY * DAY + DAY - 1)
    twice = np.flatnonzero(rng.random(len(events)) < 0.008)
    # Half of the repeats come at once, half are delivered again days later.
    again = moment[twice] + np.where(
        rng.random(len(twice)) < 0.5, 1, (rng.random(len(twice)) * 3 * DAY).astype(np.int64)
    )
    end = int(moment.max(initial=0))
    again = np.where(again > end, moment[twice], again)
    row = np.concatenate([np.arange(len(events)), twice])
    moment = np.concatenate([moment, again])
    repeated_line = np.arange(len(row)) >= len(events)
    is_app = population.device_app[events.device[row]] >= 0
    placed = {}
    for number, platform in enumerate(_PLATFORMS):
        mine = np.flatnonzero(is_app if number == 0 else ~is_app)
        mine = mine[np.lexsort((repeated_line[mine], moment[mine]))]
        placed[platform] = _Placed(
            row[mine], moment[mine] // DAY, moment[mine], repeated_line[mine]
        )
    return placed


def _day_text(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _write_gzip(path: Path, pieces: Iterator[memoryview | bytes]) -> None:
    """One gzip member without a time in its header, so that equal content is equal bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(packer.compress(piece))
        file.write(packer.flush())
