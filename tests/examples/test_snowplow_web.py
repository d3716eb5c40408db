"""A Snowplow tracker's events, beside what Snowplow's own package expects to come of them.

The package stitches by one rule: whoever was known last on a cookie (`domain_userid`) has made all
of its visits. Here a cookie that several user ids share is no proof that they are one person. So
the rule is asked of our events, which keep the cookie (`visitor_birth`) as well as the person
(`profile_id`), and the graph is compared wherever the two have to agree.

About stitching, and compared row by row:

- sessions: `domain_sessionid`, `original_domain_sessionid`, `domain_userid`,
  `original_domain_userid`, `user_id`, `stitched_user_id`, `network_userid`, and with them
  `total_events` and `start_tstamp`, which follow from which events are the session's;
- users: `user_id`, `domain_userid`, `original_domain_userid`, `network_userid`, `sessions`,
  `start_tstamp`, `end_tstamp`;
- page views: `event_id`, `user_id`, `stitched_user_id`, the cookie and the session
  (`original_…` too);
- the log, the statistics and the users of consent: `event_id`, `user_id`, the cookie, the session.

Not about stitching, and not compared: what a page view is made of (time on the page and depth of
scrolling from pings, which of several views with one `page_view_id` is the view, its place in the
session), what is looked up by the row itself (page, referrer, campaign, place, browser, bot), names
of countries and languages, conversions and engagement, times and counts of consent banners and
scopes, web vitals, and `domain_sessionidx`, which is the tracker's own count. None of it depends on
whose the event is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from tests.examples.conftest import Example
from tests.services.real_data import DataSets

FOLDER = "snowplow_web"
OF_TEN_USERS = "434dff58299fdc4f124ddf56a4f117d76f69bedb06f76d9858ffde85e16e14e1"
"""The cookie on which ten user ids came one after the other, in two sessions."""

CUT = {"long session", "Unexpired session"}
"""Users of sessions that go on for more than three days: the package leaves out what is after."""

EVENTS = """
SELECT
    events.event_id, visitors.identifier_value, events.profile_id, staged.user_id,
    staged.event_name, staged.occurred_at, staged.external_ids
FROM profiles.fct_events AS events
INNER JOIN staging.int_events AS staged ON events.landing_number = staged.landing_number
LEFT JOIN identity.dim_identifiers AS visitors
    ON events.visitor_birth = visitors.birth AND visitors.identifier_type = 'anonymous_id'
ORDER BY staged.occurred_at, events.landing_number
"""


@pytest.fixture(scope="module")
def tracker(example: Callable[[str], Example], real_data: DataSets) -> Example:
    made = example(FOLDER)
    for name in ("snowplow_web_events.csv", "snowplow_web_vital_events.csv"):
        made.lay(real_data / FOLDER / name, "landing/tracker")
    made.run()
    return made


@pytest.fixture(scope="module")
def events(tracker: Example) -> pd.DataFrame:
    """Our events by their ids, the earliest first: the cookie, the person, and what was told."""
    names = ["event_id", "visitor", "profile_id", "user_id", "name", "occurred_at", "told"]
    found = pd.DataFrame(tracker.warehouse_rows(EVENTS), columns=names).astype(object)
    found = found.where(found.notna(), None)
    ids = [{each["type"]: each["id"] for each in json.loads(told)} for told in found["told"]]
    found["session"] = [each["domain_sessionid"] for each in ids]
    found["network"] = [each["network_userid"] for each in ids]
    return found.set_index(found["event_id"].str.removeprefix("k:"))


@pytest.fixture(scope="module")
def last_known(events: pd.DataFrame) -> dict[str, str]:
    """The user id that was seen last on each cookie: the package's rule of stitching."""
    known = events[events["visitor"].notna() & events["user_id"].notna()]
    return dict(known.groupby("visitor")["user_id"].last())


@pytest.fixture(scope="module")
def expected(real_data: DataSets) -> Callable[[str], pd.DataFrame]:
    def read(name: str) -> pd.DataFrame:
        path = real_data / FOLDER / f"expected/snowplow_web_{name}_expected.csv"
        found = pd.read_csv(path, dtype=object)
        return found.where(found.notna(), None)

    return read


def moment(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def each(rows: pd.DataFrame) -> Iterator[Any]:
    return iter(rows.itertuples())


def profiles(tracker: Example, kind: str) -> dict[Any, Any]:
    """Profile by identifier of a type."""
    return dict(tracker.profile_of(kind))


def test_every_row_is_accounted_for(
    tracker: Example, events: pd.DataFrame, real_data: DataSets
) -> None:
    """Also an event without an id, and those that came again under theirs."""
    names = ("snowplow_web_events.csv", "snowplow_web_vital_events.csv")
    ids = pd.concat(
        pd.read_csv(real_data / FOLDER / name, dtype=object)["event_id"] for name in names
    )
    loads = tracker.warehouse_rows(
        "SELECT rows_read, rows_landed, rows_duplicate, rows_quarantined FROM raw.loads"
    )
    without = int(ids.isna().sum())
    assert loads == [(len(ids), len(ids) - without, 0, without)]
    assert sorted(events.index) == sorted(set(ids.dropna()))
    # What is known of these very files.
    assert (len(ids), without, len(events)) == (1_161, 1, 1_156)


@pytest.mark.parametrize(
    ("name", "rows"), [("page_views", 43), ("consent_log", 65), ("consent_cmp_stats", 33)]
)
def test_each_event_is_of_the_cookie_the_user_and_the_session_expected(
    events: pd.DataFrame, expected: Callable[[str], pd.DataFrame], name: str, rows: int
) -> None:
    """The package puts the first cookie of a session in the place of later ones, and keeps what
    the event said as `original_…`: that is what an event keeps here."""
    views = expected(name)
    assert len(views) == rows
    kept = "original_" if "original_domain_userid" in views else ""
    pairs = {"visitor": f"{kept}domain_userid", "session": f"{kept}domain_sessionid"}
    if "user_id" in views:
        pairs["user_id"] = "user_id"
    ours = events.loc[views["event_id"]]
    for mine, theirs in pairs.items():
        assert list(ours[mine]) == list(views[theirs]), theirs


def test_each_session_has_the_ids_of_its_first_page_view_or_ping(
    events: pd.DataFrame, expected: Callable[[str], pd.DataFrame]
) -> None:
    """And as many events as expected, but for two sessions that go on for more than three days."""
    sessions = expected("sessions")
    assert len(sessions) == 18
    more, earlier = set(), set()
    for row in each(sessions):
        assert row.original_domain_sessionid == row.domain_sessionid
        assert row.original_domain_userid == row.domain_userid
        mine = events[events["session"] == row.domain_sessionid]
        first = mine[mine["name"].isin(["page_view", "page_ping"])].iloc[0]
        assert first["visitor"] == row.domain_userid
        assert first["user_id"] == row.user_id
        assert first["network"] == row.network_userid
        if len(mine) != int(row.total_events):
            assert len(mine) > int(row.total_events)
            more.add(row.user_id)
        start = mine["occurred_at"].min()
        if start != moment(row.start_tstamp):
            # Of nothing but a ping, which tells of the five seconds before it.
            assert start - moment(row.start_tstamp) == pd.Timedelta(seconds=5)
            assert len(mine) == 1
            earlier.add(row.domain_sessionid)
    assert more == CUT
    assert len(earlier) == 3


@pytest.mark.parametrize("name", ["sessions", "page_views"])
def test_the_user_known_last_on_a_cookie_is_the_stitched_user(
    last_known: dict[str, str], expected: Callable[[str], pd.DataFrame], name: str
) -> None:
    """Of every row, none left out: where there is no cookie, nobody is stitched to it."""
    rows = expected(name)
    found = [last_known.get(cookie) for cookie in rows["domain_userid"]]
    assert found == list(rows["stitched_user_id"])


def test_each_cookie_that_gave_consent_is_of_the_user_expected(
    tracker: Example, last_known: dict[str, str], expected: Callable[[str], pd.DataFrame]
) -> None:
    """Twenty-six cookies of one user id are one profile."""
    rows = expected("consent_users")
    assert [last_known[cookie] for cookie in rows["domain_userid"]] == list(rows["user_id"])
    of_cookies = profiles(tracker, "anonymous_id")
    assert len(rows) == 26
    assert {of_cookies[cookie] for cookie in rows["domain_userid"]} == {
        profiles(tracker, "user_id")["consent_accel"]
    }


def test_each_user_is_a_profile_of_their_own_with_their_cookie(
    tracker: Example, expected: Callable[[str], pd.DataFrame]
) -> None:
    """The cookie of ten users is called after the first of them there, and is that one's here."""
    users = expected("users")
    assert len(users) == 11
    assert list(users["original_domain_userid"]) == list(users["domain_userid"])
    of_users = list(users["user_id"].map(profiles(tracker, "user_id")))
    of_cookies = list(users["domain_userid"].map(profiles(tracker, "anonymous_id")))
    assert of_cookies == of_users
    assert len(set(of_users)) == 11


def test_a_cookie_whose_user_changes_within_a_session_ties_the_session_all_the_same(
    tracker: Example, events: pd.DataFrame, expected: Callable[[str], pd.DataFrame]
) -> None:
    """Each session is of one profile: of its stitched user's, but for one cookie.

    There ten user ids share a cookie. The package calls both sessions after the tenth; one profile
    has one user id here, so each session stays with the user who was seen in it first.
    """
    of_users, of_sessions = profiles(tracker, "user_id"), profiles(tracker, "domain_sessionid")
    differs = {}
    for row in each(expected("sessions")):
        # Without a cookie the package stitches nobody; the event told who it was.
        user = row.user_id if row.domain_userid is None else row.stitched_user_id
        if of_sessions[row.domain_sessionid] != of_users[user]:
            assert of_sessions[row.domain_sessionid] == of_users[row.user_id]
            differs[row.domain_sessionid] = row.domain_userid
    assert list(differs.values()) == [OF_TEN_USERS] * 2
    ten = events[events["visitor"] == OF_TEN_USERS]
    assert set(ten["session"]) == set(differs)
    assert list(ten["profile_id"]) == [of_users[user] for user in ten["user_id"]]
    assert ten["profile_id"].nunique() == ten["user_id"].nunique() == 10


def test_each_user_has_the_sessions_and_the_span_expected(
    events: pd.DataFrame, expected: Callable[[str], pd.DataFrame]
) -> None:
    """By the cookie, and for the user whose cookie changes within a session by the profile: the
    package has all three cookies under the first one."""
    later = set()
    for row in each(expected("users")):
        mine = events[events["visitor"] == row.domain_userid]
        assert mine["session"].nunique() == int(row.sessions)
        assert mine["occurred_at"].min() == moment(row.start_tstamp)
        last = mine["occurred_at"].max()
        if row.user_id == "Rotating domain_userid per session":
            (profile,) = set(mine["profile_id"])
            theirs = events[events["profile_id"] == profile]
            assert theirs["visitor"].nunique() == 3
            last = theirs["occurred_at"].max()
        if last != moment(row.end_tstamp):
            assert last > moment(row.end_tstamp)
            later.add(row.user_id)
    assert later == CUT


def test_a_collectors_cookie_that_several_users_share_joins_none_of_them(
    tracker: Example, events: pd.DataFrame, expected: Callable[[str], pd.DataFrame]
) -> None:
    """Six are: each is one user's, and nothing else had to be cut anywhere."""
    of_networks, of_users = profiles(tracker, "network_userid"), profiles(tracker, "user_id")
    users = events[events["network"] != ""].groupby("network")["user_id"].unique()
    shared = set(users.index[users.map(len) > 1])
    assert len(shared) == 6
    for network, theirs in users.items():
        owners = {of_users[user] for user in theirs if user is not None}
        assert of_networks[network] in owners, network
        assert len(owners) == len(theirs)
    astray = {
        row.user_id
        for row in each(expected("users"))
        if of_networks[row.network_userid] != of_users[row.user_id]
    }
    # Who came second to the cookie that the first has.
    assert astray == {"Rotating domain_userid per session"}
    cut = tracker.warehouse_rows(
        "SELECT edges.rule, one.identifier_value, other.identifier_value "
        "FROM identity.fct_rejected_edges AS edges "
        "INNER JOIN identity.dim_identifiers AS one ON edges.left_node = one.birth "
        "INNER JOIN identity.dim_identifiers AS other ON edges.right_node = other.birth"
    )
    assert {rule for rule, *_ in cut} == {"limit:user_id"}
    of_ten = set(events.loc[events["visitor"] == OF_TEN_USERS, "session"]) | {OF_TEN_USERS}
    assert all({one, other} & (shared | of_ten) for _, one, other in cut)


def test_returning_visitors_came_again_after_thirty_minutes(
    tracker: Example, events: pd.DataFrame
) -> None:
    visits = events.assign(visitor=events["visitor"].fillna(events["user_id"]))
    gap: Any = pd.to_datetime(visits["occurred_at"]).groupby(visits["visitor"]).diff()
    opens = gap.isna() | (gap > pd.Timedelta(minutes=30))
    visits = visits.assign(visit=opens.groupby(visits["visitor"]).cumsum())
    # A visit is of whoever was there last.
    owners = visits.groupby(["visitor", "visit"])["profile_id"].last().value_counts()
    returning = set(owners.index[owners >= 2])
    assert returning
    assert tracker.members("returning_visitors") == returning
