"""A project of Google's that cannot be used is told before any work starts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp.warehouse.engines import checking
from cdp.warehouse.engines.checking import check_target
from cdp.warehouse.settings import Settings, load_settings
from tests.engines.told_of_targets import BIGQUERY, ENGINES, TAXONOMY, told
from tests.services.ports import free_port

pytestmark = pytest.mark.usefixtures("installed")


# --- BigQuery ------------------------------------------------------------------------------------


class _Projects(BaseHTTPRequestHandler):
    """The answer of BigQuery to a listing of datasets, of one project alone, and of Data Catalog to
    one of tags, of one taxonomy alone."""

    def do_GET(self) -> None:
        known = f"/{TAXONOMY}/policyTags?" in self.path or "/projects/acme-cdp/data" in self.path
        body = json.dumps({} if known else {"error": {"message": "secret words"}}).encode()
        self.send_response(200 if known else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def projects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Projects)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()


def of_bigquery(**changes: Any) -> Settings:
    return load_settings(**{**BIGQUERY, **changes})


@pytest.mark.usefixtures("projects")
def test_a_project_that_answers_passes(gcs_account: Path) -> None:
    pytest.importorskip("google.cloud.bigquery", reason=ENGINES)
    check_target(of_bigquery(bigquery_keyfile=gcs_account))


@pytest.mark.usefixtures("projects")
def test_a_project_that_refuses_is_told_without_the_server_s_words(gcs_account: Path) -> None:
    pytest.importorskip("google.cloud.bigquery", reason=ENGINES)
    said = told(of_bigquery(bigquery_keyfile=gcs_account, bigquery_project="another-cdp"))
    assert "refuses the project another-cdp" in said
    assert "code 403" in said
    assert "secret" not in said


@pytest.mark.usefixtures("projects")
def test_a_taxonomy_that_is_not_there_is_told_before_anything_is_built(
    gcs_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.cloud.bigquery", reason=ENGINES)
    from google.auth.credentials import AnonymousCredentials

    from cdp.warehouse.engines import bigquery_rights

    monkeypatch.setattr(bigquery_rights, "TAGS", os.environ["BIGQUERY_EMULATOR_HOST"])
    # Those of a key file ask Google where they may be used from.
    anonymous: Any = AnonymousCredentials
    monkeypatch.setattr(checking, "google_credentials", lambda _: anonymous())
    check_target(of_bigquery(bigquery_taxonomy=TAXONOMY))
    said = told(of_bigquery(bigquery_taxonomy=TAXONOMY.replace("/7", "/8")))
    assert "taxonomies/8 (the setting bigquery_taxonomy, CDP_BIGQUERY_TAXONOMY)" in said
    assert "code 403" in said
    assert "secret" not in said
    monkeypatch.setattr(bigquery_rights, "TAGS", f"http://127.0.0.1:{free_port()}")
    assert "cannot be asked for" in told(of_bigquery(bigquery_taxonomy=TAXONOMY.replace("7", "9")))


def test_a_server_that_does_not_answer_is_told(
    gcs_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.cloud.bigquery", reason=ENGINES)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached" in told(of_bigquery(bigquery_keyfile=gcs_account))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"hunter2",
        b'{"type": "service_account", "private_key": "hunter2"}',
        b"\xff",
    ],
)
def test_a_file_that_is_no_key_of_an_account_is_told_and_not_shown(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    said = told(of_bigquery(bigquery_keyfile=path))
    assert "which is no key file of a service account" in said
    assert "hunter2" not in said
    path.unlink()
    assert "which cannot be read" in told(of_bigquery(bigquery_keyfile=path))


def test_members_of_a_role_that_there_is_not_are_told() -> None:
    said = told(of_bigquery(bigquery_members={"analist": ["user:ada@example.com"]}))
    assert "gives members to analist" in said
    assert "allowed: analyst, marketing" in said


def test_a_taxonomy_of_another_location_is_refused() -> None:
    taxonomy = "projects/acme-cdp/locations/us/taxonomies/7"
    with pytest.raises(ValidationError, match="expected a taxonomy in EU"):
        of_bigquery(bigquery_taxonomy=taxonomy)
    assert of_bigquery(bigquery_taxonomy=taxonomy, bigquery_location="US")


def test_no_credentials_at_all_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert "finds no credentials; set bigquery_keyfile" in told(of_bigquery())


# --- commands ------------------------------------------------------------------------------------
