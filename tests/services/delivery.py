"""Handing a shop's files to a deployment bit by bit.

Belongs here: cutting a shop into deliveries, late, shuffled and repeated. Does not belong here: any
expectation.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path


class Deliveries:
    """A shop whose files arrive in batches; the database grows by what changed up to a moment."""

    def __init__(self, files: Path, home: Path, seed: int) -> None:
        self._files, self._home = files, home
        self._random = random.Random(seed)

    def batches(self, count: int, *, shuffled: bool) -> list[list[Path]]:
        """The files of the landing folder in `count` batches, by day or in any order."""
        paths = sorted(
            path.relative_to(self._files)
            for path in (self._files / "landing").rglob("*")
            if path.is_file()
        )
        if shuffled:
            self._random.shuffle(paths)
        size = -(-len(paths) // count)
        return [paths[at : at + size] for at in range(0, len(paths), size)]

    def deliver(self, batch: list[Path], *, repeat: bool = False) -> None:
        """Put files into the deployment's landing folder; with `repeat`, some of them twice."""
        for path in batch:
            target = self._home / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._files / path, target)
            if repeat and self._random.random() < 0.3:
                again = target.with_name(target.name.replace("-", "-again-", 1))
                shutil.copyfile(self._files / path, again)

    def database_up_to(self, moment: datetime | None) -> None:
        """The shop's database as it stood when nothing after `moment` had been written."""
        target = self._home / "demo" / "shop.sqlite"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._files / "demo" / "shop.sqlite", target)
        if moment is None:
            return
        with sqlite3.connect(target) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in tables.fetchall():
                columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
                if "updated_at" in columns:
                    database.execute(
                        f"DELETE FROM {table} WHERE updated_at > ?", [moment.isoformat(sep=" ")]
                    )
