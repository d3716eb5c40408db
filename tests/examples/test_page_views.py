"""A log of page views: sessions end with more than thirty minutes of silence."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.examples.conftest import Example
from tests.services.real_data import DataSets


@pytest.fixture(scope="module")
def site(example: Callable[[str], Example], real_data: DataSets) -> Example:
    made = example("page_views")
    made.lay(real_data / "page_views/readers.parquet", "landing/site")
    made.run()
    return made


def test_there_are_as_many_sessions_as_gaps_over_thirty_minutes(
    site: Example, real_data: DataSets
) -> None:
    views = pd.read_parquet(real_data / "page_views/readers.parquet").sort_values("timestamp")
    gap = views.groupby("uuid")["timestamp"].diff()
    starts = int((gap.isna() | (gap > pd.Timedelta(minutes=30))).sum())
    found = site.read("SELECT count(*) AS sessions, sum(event_count) AS views FROM fct_sessions")
    assert (found["sessions"][0], found["views"][0]) == (starts, len(views))
    # What is known of this very file.
    assert starts == 22_224


def test_every_reader_has_the_sessions_of_their_own(site: Example, real_data: DataSets) -> None:
    views = pd.read_parquet(real_data / "page_views/readers.parquet").sort_values("timestamp")
    gap = views.groupby("uuid")["timestamp"].diff()
    views["starts"] = gap.isna() | (gap > pd.Timedelta(minutes=30))
    expected = views.groupby("uuid")["starts"].sum()
    profile_of = site.profile_of("anonymous_id")
    sessions = site.read("SELECT profile_id, session_count FROM dim_profiles")
    found = sessions.set_index("profile_id")["session_count"]
    assert [found[profile] for profile in profile_of[expected.index]] == list(expected)
    returning = set(profile_of[expected.index[expected >= 2]])
    assert site.members("returning_readers") == returning
