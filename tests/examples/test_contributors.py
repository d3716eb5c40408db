"""Commits of a repository: authors known by an e-mail address and a name, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.cli.command import cdp
from tests.examples.conftest import Example
from tests.identity.matching_data import Fit, fit_of_groups
from tests.services.real_data import DataSets

AS_OF = pd.Timestamp("2026-08-31")


@pytest.fixture(scope="module")
def repository(example: Callable[..., Example], real_data: DataSets) -> Example:
    made = example("contributors", own=True)
    made.lay(real_data / "contributors/events.parquet", "landing/repository")
    made.run()
    return made


@pytest.fixture(scope="module")
def commits(real_data: DataSets) -> pd.DataFrame:
    """The file by its ids, with moments in UTC from the seconds that stand beside the dates."""
    found = pd.read_parquet(real_data / "contributors/events.parquet").set_index("event_id")
    found["moment"] = pd.to_datetime(found["author_epoch"], unit="s")
    return found


@pytest.fixture(scope="module")
def owners(repository: Example) -> pd.Series:
    """The profile of each commit, null where it is nobody's."""
    rows = repository.warehouse_rows("SELECT event_id, profile_id FROM profiles.fct_events")
    owner_of = {key.removeprefix("k:"): profile for key, profile in rows}
    return pd.Series(owner_of, dtype="Int64")


def test_every_row_is_accounted_for(repository: Example, commits: pd.DataFrame) -> None:
    """Also those of which nothing but an e-mail address or a name says whose they are."""
    loads = repository.warehouse_rows(
        "SELECT rows_read, rows_landed, rows_duplicate, rows_quarantined FROM raw.loads"
    )
    assert loads == [(len(commits), len(commits), 0, 0)]
    staged = repository.warehouse_rows("SELECT row_key FROM staging.int_events")
    assert sorted(key for (key,) in staged) == sorted("k:" + commits.index)


def test_staging_says_what_the_file_says(repository: Example, commits: pd.DataFrame) -> None:
    rows = repository.warehouse_rows(
        "SELECT message_id, email, first_name, last_name, full_name, event_name, occurred_at "
        "FROM staging.int_events"
    )
    found = {row[0]: row[1:] for row in rows}
    addresses = commits["author_email"].str.strip()
    assert found == {
        commit: (address or None, None, None, name.strip(), "commit", moment.to_pydatetime())
        for commit, address, name, moment in zip(
            commits.index, addresses, commits["author_name"], commits["moment"], strict=True
        )
    }
    # What is known of this very file.
    assert (addresses == "").sum() == 1
    assert commits["moment"].min().year == 2000


def fit(repository: Example, commits: pd.DataFrame, real_data: DataSets) -> Fit:
    """How well the owners of commits fit what people have said, over the distinct pairs of a name
    and an address. A pair whose commits are nobody's is nobody else's."""
    truth = pd.read_parquet(real_data / "contributors/truth.parquet").set_index("event_id")
    rows = repository.warehouse_rows("SELECT event_id, profile_id FROM profiles.fct_events")
    owner = pd.Series({key.removeprefix("k:"): profile for key, profile in rows}, dtype="Int64")
    pairs = commits.join(truth).assign(owner=owner).groupby(["author_name", "author_email"])
    assert pairs["owner"].nunique(dropna=False).eq(1).all()
    told = pairs[["owner", "person_id"]].first().reset_index(drop=True)
    found = told["owner"].fillna(-pd.Series(told.index))
    return fit_of_groups(found.astype(int).tolist(), told["person_id"].tolist())


def test_the_rules_find_who_is_who(
    repository: Example, commits: pd.DataFrame, real_data: DataSets
) -> None:
    found = fit(repository, commits, real_data)
    print(f"\nby rules: {found}")
    assert found.precision >= 0.99
    assert found.recall >= 0.85


def test_an_address_of_many_people_joins_none_and_is_told(repository: Example) -> None:
    (found,) = repository.warehouse_rows(
        "SELECT clusters.kind, clusters.sign, served.identifier_type "
        "FROM identity.quarantined_clusters AS clusters "
        "INNER JOIN identity.dim_identifiers AS served ON clusters.cluster_id = served.birth"
    )
    assert found == ("value", "names", "email")


def test_an_address_of_one_name_is_somebody(commits: pd.DataFrame, owners: pd.Series) -> None:
    """An e-mail address is enough to be a person by: no commit has any other identifier."""
    names = commits.groupby("author_email")["author_name"].nunique()
    own = [address for address in names.index[names == 1] if "@" in address]
    theirs = commits[commits["author_email"].isin(own)]
    assert len(theirs) > 10_000
    assert owners[theirs.index].notna().all()


def test_regular_authors_are_those_of_ten_commits_with_one_in_the_last_year(
    repository: Example, commits: pd.DataFrame, owners: pd.Series
) -> None:
    recent = commits.index[AS_OF - commits["moment"] < pd.Timedelta(days=365)]
    counts = owners.dropna().value_counts()
    around = set(owners[recent].dropna())
    expected = around & set(counts.index[counts >= 10])
    assert expected
    assert expected < around
    assert repository.members("regular_authors") == expected


def test_matching_finds_more_of_them_and_wrongs_nobody(
    repository: Example, commits: pd.DataFrame, real_data: DataSets
) -> None:
    """The last of the file: it trains, so that later runs join more."""
    by_rules = fit(repository, commits, real_data)
    settings = repository.settings
    trained = cdp(settings.home, "identity", "train", "--author", "ada", config=settings.config)
    assert trained.returncode == 0, trained.stderr
    repository.run()
    with_matching = fit(repository, commits, real_data)
    print(f"\nby rules: {by_rules}; with matching: {with_matching}")
    assert with_matching.precision >= 0.99
    assert with_matching.recall > by_rules.recall
