"""A copy of the warehouse is whole, stands alone, and is gone afterwards whatever happens."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing import get_context
from pathlib import Path

import pytest
from filelock import FileLock

from cdp.warehouse import scratch
from cdp.warehouse.scratch import NoRoom, scratch_copy
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import WarehouseBusy, open_warehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings(home=tmp_path)
    with open_warehouse(made) as warehouse:
        warehouse.execute("CREATE TABLE raw.notes AS SELECT range AS id FROM range(1000)")
    return made


def left(settings: Settings) -> list[Path]:
    return list((settings.home / "scratch").iterdir())


def test_it_holds_all_rows_and_what_is_done_to_it_is_done_to_it_alone(settings: Settings) -> None:
    before = settings.warehouse_file.read_bytes()
    with scratch_copy(settings, 1) as copied:
        assert copied.home.stat().st_mode & 0o077 == 0
        # Nobody waits for a copy.
        with open_warehouse(settings, 0) as warehouse:
            assert warehouse.scalar("SELECT count(*) FROM raw.notes") == 1000
        with open_warehouse(copied) as warehouse:
            warehouse.execute("DELETE FROM raw.notes WHERE id >= 10")
        with open_warehouse(copied) as warehouse:
            assert warehouse.scalar("SELECT count(*) FROM raw.notes") == 10
    assert settings.warehouse_file.read_bytes() == before
    assert left(settings) == []


def test_what_a_killed_run_has_left_in_the_log_is_copied_too(settings: Settings) -> None:
    killed = get_context("spawn").Process(target=leave_a_note, args=(settings,))
    killed.start()
    killed.join()
    assert Path(f"{settings.warehouse_file}.wal").exists()
    before = settings.warehouse_file.read_bytes()
    with scratch_copy(settings, 1) as copied, open_warehouse(copied) as warehouse:
        assert warehouse.scalar("SELECT min(id) FROM raw.notes") == -1
    assert settings.warehouse_file.read_bytes() == before


def leave_a_note(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        warehouse.execute("INSERT INTO raw.notes VALUES (-1)")
        os._exit(0)


def test_it_is_gone_when_what_was_done_with_it_fails_or_is_ended(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_with_a_copy(settings)
    assert left(settings) == []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        be_ended_with_a_copy(settings)
    assert left(settings) == []
    assert signal.getsignal(signal.SIGTERM) == before


def fail_with_a_copy(settings: Settings) -> None:
    with scratch_copy(settings, 1):
        assert left(settings) != []
        _ = 1 / 0


def be_ended_with_a_copy(settings: Settings) -> None:
    with scratch_copy(settings, 1):
        os.kill(os.getpid(), signal.SIGTERM)
        # Python hears of a signal between two steps.
        threading.Event().wait(1)


@pytest.mark.parametrize("comes", [scratch_copy, open_warehouse])
def test_what_a_killed_process_has_left_goes_and_what_another_has_stays(
    settings: Settings, comes: Callable[[Settings, float], AbstractContextManager[object]]
) -> None:
    """With the next copy, and with whatever opens the warehouse next, such as a run."""
    folder = settings.home / "scratch"
    for name in ("dead", "alive"):
        (folder / name).mkdir(parents=True)
        (folder / name / "warehouse.duckdb").write_text("a person")
        (folder / f"{name}.lock").touch()
    with FileLock(folder / "alive.lock"), comes(settings, 1):
        assert not (folder / "dead").exists()
        assert (folder / "alive").exists()
    assert (folder / "alive" / "warehouse.duckdb").exists()


def test_it_says_how_much_room_it_needs_before_it_takes_any(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "BESIDE", 2**60)
    told = r"needs 1,099,511,627,\d+ MB .* MB are free; make room"
    with pytest.raises(NoRoom, match=told), scratch_copy(settings, 1):
        pass
    assert left(settings) == []


def test_it_is_not_taken_while_somebody_writes(settings: Settings) -> None:
    with (
        FileLock(settings.lock_file),
        pytest.raises(WarehouseBusy, match="held by another run"),
        scratch_copy(settings, 0),
    ):
        pass
    assert left(settings) == []
