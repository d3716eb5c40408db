"""Published sets of BigQuery: whole for every reader, masked for each role, read by nobody else.

A stand-in runs the statements (`duck_bigquery`), and keeps access lists and tags as they were sent;
policy tags are asked for at a server of the test's own. The tests go on where the one before them
ended, as those of the lake do.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from cdp.config.personal_data import CLASSES
from cdp.warehouse.engines.schema_shelf import SchemaShelf, Shown
from cdp.warehouse.published import published
from cdp.warehouse.publishing import PublishRefused, publish, recover_publication
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.shelf import Place, shelf_of
from tests.engines.served_shop import PEOPLE, PROJECT, ROLES, Shop, numbers

if TYPE_CHECKING:
    from tests.engines.duck_bigquery import DuckBigQuery

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
    ),
]

TAXONOMY = "projects/acme-cdp/locations/eu/taxonomies/7"
MEMBERS = {
    "analyst": ["group:analysts@acme.com", "user:ada@acme.com"],
    "marketing": ["group:marketing@acme.com"],
}


class Catalogue(BaseHTTPRequestHandler):
    """Google's Data Catalog: the tags of one taxonomy, and who may read what has each."""

    tags: ClassVar[dict[str, str]] = {}
    readers: ClassVar[dict[str, Any]] = {}
    refuses: ClassVar[bool] = False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        assert path == f"/{TAXONOMY}/policyTags"
        self._say({"policyTags": [{"name": n, "displayName": k} for k, n in self.tags.items()]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.refuses:
            self._say({}, 403)
        elif self.path.endswith(":getIamPolicy"):
            self._say(self.readers.get(self.path[1:].partition(":")[0], {"etag": "e"}))
        elif self.path.endswith(":setIamPolicy"):
            self.readers[self.path[1:].partition(":")[0]] = asked["policy"]
            self._say(asked["policy"])
        else:
            name = f"{TAXONOMY}/policyTags/{len(self.tags) + 1}"
            self.tags[asked["displayName"]] = name
            self._say({"name": name, "displayName": asked["displayName"]})

    def _say(self, told: dict[str, Any], code: int = 200) -> None:
        body = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[DuckBigQuery]:
    from google.auth.credentials import AnonymousCredentials

    from cdp.warehouse.engines import bigquery_rights, checking
    from tests.engines.duck_bigquery import DuckBigQuery

    made, anonymous = DuckBigQuery(), cast("Any", AnonymousCredentials)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Catalogue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with made.instead_of_google(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(bigquery_rights, "TAGS", f"http://127.0.0.1:{server.server_port}")
        # Those of a key file ask Google where they may be used from.
        for module in (bigquery_rights, checking):
            patched.setattr(module, "google_credentials", lambda _: anonymous())
        yield made
    server.shutdown()


@pytest.fixture(scope="module")
def shop(
    cloud: DuckBigQuery, gcs_account: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    from cdp.warehouse.engines.bigquery_store import opened

    home = tmp_path_factory.mktemp("sets")
    shutil.copytree(PROJECT_ROOT / "config", home / "config")
    (home / "config" / "roles.yml").write_text(ROLES)
    settings = load_settings(
        home=home,
        config=home / "config",
        target="bigquery",
        bigquery_project="acme-cdp",
        bigquery_location="EU",
        bigquery_keyfile=gcs_account,
        bigquery_taxonomy=TAXONOMY,
        bigquery_members=MEMBERS,
        serving_sets_kept=2,
    )
    # Without the lock, so that commands may read beside it.
    with opened(settings) as warehouse:
        yield Shop(warehouse)


def test_a_role_finds_the_set_under_plain_names_and_no_hidden_value(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    first = shop.publish()
    assert first.rows["analyst"] == {
        "profiles.dim_profiles": PEOPLE,
        "segments.dim_segments": PEOPLE,
        "segments.segment_sizes": 1,
    }
    assert shop.versions() == {1}
    assert shop.warehouse.rows("SELECT * FROM serving_analyst.segment_sizes") == [(1, PEOPLE)]
    seen = {
        role: shop.warehouse.scalar(f"SELECT count(email) FROM serving_{role}.dim_profiles")
        for role in ("analyst", "marketing")
    }
    assert seen == {"analyst": 0, "marketing": PEOPLE}
    assert shop.warehouse.rows(
        "SELECT run_id, set_name FROM serving_analyst.about_publication"
    ) == [("run1", first.set_name)]
    assert cloud.comments["serving_marketing", "dim_profiles"]["email"] == "Last known email."


def test_commands_read_the_set_as_a_role_does(shop: Shop) -> None:
    with published(shop.warehouse.settings) as current:
        assert current.roles() == ["analyst", "marketing"]
        with current.seen_by("marketing") as seen:
            assert seen.has_table("dim_profiles")
            assert not seen.has_table("dim_orders")
            assert seen.rows("SELECT count(email) FROM dim_profiles") == [(PEOPLE,)]
            found = seen.one("SELECT order_count FROM dim_profiles WHERE order_count = ?", [1])
            assert found == {"order_count": 1}


def test_people_read_views_and_each_dataset_lets_in_the_views_that_read_it(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    current = shelf_of(shop.warehouse).current()
    assert current is not None
    place = shelf_of(shop.warehouse).place_of(current.set_name)
    assert cloud.let_in(str(place)) == {f"{place}_analyst", f"{place}_marketing"}
    assert cloud.let_in("serving") == {"serving_analyst", "serving_marketing"}
    for role, members in MEMBERS.items():
        named = {each.partition(":")[2] for each in members}
        assert cloud.let_in(f"{place}_{role}") == {f"serving_{role}"}
        assert cloud.members(f"serving_{role}") == named
        assert cloud.members(f"{place}_{role}") == named
    assert cloud.members(str(place)) == set()
    assert cloud.members("profiles") == set()


def test_personal_columns_have_the_tag_of_their_class_and_who_is_shown_it_may_read_it(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    from tests.engines.duck_bigquery import BUILDER

    assert set(Catalogue.tags) == set(CLASSES)
    (place,) = [name for name in shop.schemas() if name.endswith("_run1")]
    tags = cloud.tags[place, "profiles__dim_profiles"]
    assert tags["email"] == [Catalogue.tags["email"]]
    assert "order_count" not in tags
    (binding,) = Catalogue.readers[Catalogue.tags["email"]]["bindings"]
    assert binding["members"] == sorted(["group:marketing@acme.com", f"serviceAccount:{BUILDER}"])


def test_a_right_that_google_does_not_take_leaves_readers_what_they_had(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cdp.warehouse.engines.bigquery_rights import RightsRefused

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "refuses", True)
        with pytest.raises(RightsRefused, match=r"code 403.*CDP_BIGQUERY_TAXONOMY"):
            shop.publish()
    assert shop.versions() == {1}
    assert numbers(shop.schemas()) == {1}


def test_a_member_who_is_declared_no_more_reads_no_set_any_more(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    fewer = {**MEMBERS, "analyst": ["group:analysts@acme.com"]}
    shop.warehouse.settings = shop.warehouse.settings.model_copy(update={"bigquery_members": fewer})
    shop.publish()
    assert shop.versions() == {3}
    views = [name for name in cloud.datasets if name.endswith("_analyst")]
    assert len(views) == 3
    assert {member for name in views for member in cloud.members(name)} == {"analysts@acme.com"}


def test_what_breaks_before_the_pointer_moves_leaves_readers_what_they_had(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cdp.warehouse.engines.bigquery_shelf import BigQueryShelf

    def killed(self: BigQueryShelf, set_name: str, says: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BigQueryShelf, "_point_at", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.publish()
    # The views read both sets by now, and the pointer chooses.
    assert shop.versions() == {3}
    assert recover_publication(shop.warehouse) is None
    assert numbers(shop.schemas()) == {1, 3}
    assert shop.versions() == {3}


def test_a_candidate_that_shows_what_a_role_may_not_see_goes_nowhere(shop: Shop) -> None:
    run = shop.begin()

    def spoilt(place: Place) -> bool:
        from expectations.serving import validate_set

        with shop.warehouse.session() as session:
            session.execute(
                f"CREATE OR REPLACE VIEW {place}_analyst.dim_profiles AS "
                f"SELECT * FROM {place}.profiles__dim_profiles"
            )
        verdict = validate_set(place, shop.warehouse, run, project=PROJECT)
        assert [check.name for check in verdict.failed] == [
            "holds no personal value in profiles.dim_profiles"
        ]
        return verdict.passed

    with pytest.raises(PublishRefused, match="did not pass its gate"):
        publish(shop.warehouse, run, project=PROJECT, validate=spoilt)
    assert shop.versions() == {3}


def test_the_newest_sets_are_kept_and_views_read_one_set_alone(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    shop.publish(validate=lambda place: True)
    assert shop.versions() == {6}
    assert numbers(shop.schemas()) == {3, 6}
    for (dataset, _), query in cloud.views.items():
        if dataset == "serving_analyst":
            assert "UNION ALL" not in query


def test_a_role_comes_with_its_members_and_goes_with_them_from_every_set(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    roles = shop.warehouse.settings.config / "roles.yml"
    sales = ROLES + "  sales: {description: Sells., shows: [], core: [segments.segment_sizes]}\n"
    roles.write_text(sales)
    members = {**MEMBERS, "sales": ["user:lea@acme.com"]}
    shop.warehouse.settings = shop.warehouse.settings.model_copy(
        update={"bigquery_members": members}
    )
    # The set before this one has no such role.
    shop.publish()
    (theirs,) = [name for name in shop.schemas() if name.endswith("_sales")]
    assert cloud.members("serving_sales") == cloud.members(theirs) == {"lea@acme.com"}
    roles.write_text(ROLES)
    shop.warehouse.settings = shop.warehouse.settings.model_copy(
        update={"bigquery_members": MEMBERS}
    )
    shop.publish()
    assert theirs in shop.schemas()
    assert cloud.members(theirs) == set()
    assert "serving_sales" not in cloud.datasets


def test_a_dataset_that_only_begins_like_a_set_is_left_alone(
    shop: Shop, cloud: DuckBigQuery
) -> None:
    foreign = {"set_top_box", "set_up", "set_2026", "serving_robots", "serving_"}
    for name in foreign:
        shop.warehouse.execute(f"CREATE SCHEMA {name}")
    recover_publication(shop.warehouse)
    shop.publish()
    assert foreign <= set(cloud.datasets)


def test_a_column_of_another_type_than_it_was_is_read_as_what_it_is(shop: Shop) -> None:
    shelf = shelf_of(shop.warehouse)
    assert isinstance(shelf, SchemaShelf)
    column = Shown("age", "INT64", "")
    assert shelf._shown(column, "INT64") == "one.`age`"
    assert shelf._shown(column, None) == "CAST(NULL AS INT64) AS `age`"
    assert shelf._shown(column, "STRING") == "SAFE_CAST(one.`age` AS INT64) AS `age`"
