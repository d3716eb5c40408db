"""The generator keeps its promises: the same bytes, bounded memory, nobody else's files touched."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from cdp.demo import DemoShop, ForeignFiles, generate


def fingerprints(shop: DemoShop) -> dict[str, str]:
    return {name: sha256((shop.home / name).read_bytes()).hexdigest() for name in shop.files}


_GENERATE = """
import sys
from pathlib import Path
from cdp.demo import generate
if int(sys.argv[2]):
    generate(Path(sys.argv[1]), people=int(sys.argv[2]), people_per_chunk=500)
# Not getrusage: what it tells of a new process includes the process that it was forked from.
told = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(told["VmHWM"].split()[0])
"""


def generated_apart(home: Path, people: int, hash_seed: int = 0) -> int:
    """Generate a shop in a process of its own; its greatest memory in kibibytes."""
    told = subprocess.run(
        [sys.executable, "-c", _GENERATE, str(home), str(people)],
        capture_output=True,
        check=True,
        text=True,
        # Snowflake's client, where a test before has imported it, turns Arrow's pool off for all
        # child processes, and then memory that is free counts as taken.
        env={
            **{name: each for name, each in os.environ.items() if "MEMORY_POOL" not in name},
            "PYTHONHASHSEED": str(hash_seed),
        },
    )
    return int(told.stdout)


def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """Sets and hashes are in another order in each process, the shop in none."""
    for hash_seed in (1, 2):
        generated_apart(tmp_path / str(hash_seed), 150, hash_seed)
    one, other = (
        {
            str(path.relative_to(home)): sha256(path.read_bytes()).hexdigest()
            for path in home.rglob("*")
            if path.is_file()
        }
        for home in (tmp_path / "1", tmp_path / "2")
    )
    assert len(one) > 50
    assert one == other


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    one = fingerprints(generate(tmp_path / "one", people=150, seed=1))
    other = fingerprints(generate(tmp_path / "other", people=150, seed=2))
    both = [name for name in one.keys() & other.keys() if name.startswith("landing/")]
    assert both
    assert all(one[name] != other[name] for name in both)


def test_a_chunk_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    one = fingerprints(generate(tmp_path / "one", people=100, people_per_chunk=100))
    three = fingerprints(generate(tmp_path / "three", people=300, people_per_chunk=100))
    first_chunk = [name for name in one if name.startswith("landing/")]
    assert len(first_chunk) > 50
    assert all(three[name] == one[name] for name in first_chunk)


def test_memory_follows_the_chunk_and_not_the_number_of_people(tmp_path: Path) -> None:
    """Beyond what importing the generator takes, which would hide any growth.

    Two chunks are the least that has all of it: the second is made while the first's files are
    closed, so a single chunk takes less, by how much depends on the allocator's threads.
    """
    imported = generated_apart(tmp_path / "none", 0)
    two_chunks = generated_apart(tmp_path / "two", 1_000) - imported
    twelve_chunks = generated_apart(tmp_path / "twelve", 6_000) - imported
    assert twelve_chunks < 1.35 * two_chunks


def test_days_and_end_bound_what_people_do(tmp_path: Path) -> None:
    shop = generate(tmp_path, people=100, days=3)
    days = sorted(path.name for path in (tmp_path / "landing/web").iterdir())
    drawn = [day for day in days if list((tmp_path / "landing/web" / day).glob("mobile-*"))]
    assert drawn[0] >= "2026-06-27" and days[-1] == "2026-06-30"
    assert shop.event_lines > 300


def test_nothing_is_left_half_written(small_shop: DemoShop) -> None:
    on_disk = {
        str(path.relative_to(small_shop.home))
        for path in small_shop.home.rglob("*")
        if path.is_file()
    }
    assert on_disk == set(small_shop.files)


def test_an_earlier_shop_is_replaced(tmp_path: Path) -> None:
    generate(tmp_path, people=220, people_per_chunk=100)
    shop = generate(tmp_path, people=50)
    assert not list(tmp_path.rglob("*-0001.ndjson.gz"))
    assert all((tmp_path / name).exists() for name in shop.files)


def test_a_call_that_was_cut_off_is_made_good_by_the_next(tmp_path: Path) -> None:
    def stop(done: int, people: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "cut", people=50, on_progress=stop)
    again = generate(tmp_path / "cut", people=50)
    assert fingerprints(again) == fingerprints(generate(tmp_path / "fresh", people=50))


def test_files_of_others_stop_it(tmp_path: Path) -> None:
    (tmp_path / "landing/crm").mkdir(parents=True)
    (tmp_path / "landing/crm/ours.csv").write_text("Id\n")
    with pytest.raises(ForeignFiles, match=r"ours\.csv was not written by the demo shop"):
        generate(tmp_path, people=50)
    assert (tmp_path / "landing/crm/ours.csv").read_text() == "Id\n"


@pytest.mark.parametrize(("people", "days"), [(0, 90), (10, 0)])
def test_an_empty_shop_is_refused(tmp_path: Path, people: int, days: int) -> None:
    with pytest.raises(ValueError, match="a shop needs people and days"):
        generate(tmp_path, people=people, days=days)
