"""Object stores of the tests' own: S3 and Google Cloud Storage, emulated on loopback.

Belongs here: starting the emulators, one fresh bucket a test, and what dlt's filesystem source and
fsspec need to reach it. Does not belong here: any file, which a test puts there itself.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.services.ports import free_port


@dataclass(frozen=True)
class Bucket:
    """An empty bucket and how to reach it."""

    url: str
    """`s3://<bucket>` or `gs://<bucket>`."""
    endpoint: str
    """Address of the emulator."""
    credentials: dict[str, Any] | None
    """dlt's credentials of the filesystem source; none where the environment gives them."""
    fsspec: dict[str, Any]
    """Arguments of fsspec's file system."""
    put: Callable[[str, bytes], None]
    """Write an object: its name within the bucket and its bytes."""


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of a running S3 emulator."""
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str) -> Bucket:
    """A bucket of S3."""
    import boto3

    name, key, secret = f"landing-{secrets.token_hex(4)}", "emulated", secrets.token_hex(8)
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)

    def put(path: str, content: bytes) -> None:
        client.put_object(Bucket=name, Key=path, Body=content)

    return Bucket(
        url=f"s3://{name}",
        endpoint=s3_endpoint,
        credentials={
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "endpoint_url": s3_endpoint,
            "region_name": "us-east-1",
        },
        fsspec={"key": key, "secret": secret, "endpoint_url": s3_endpoint},
        put=put,
    )


class _TokenDesk(BaseHTTPRequestHandler):
    """Gives every service account a token, as Google's own does after looking at its signature."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = json.dumps({"access_token": "any", "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def gcs_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A service account's key file, good for a token desk on this machine."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    desk = ThreadingHTTPServer(("127.0.0.1", 0), _TokenDesk)
    threading.Thread(target=desk.serve_forever, daemon=True).start()
    path = tmp_path_factory.mktemp("gcs") / "service_account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "emulated",
                "client_email": "tests@example.com",
                "private_key": key.decode(),
                "token_uri": f"http://127.0.0.1:{desk.server_port}/token",
            }
        )
    )
    yield path
    desk.shutdown()


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """Address of a running Google Cloud Storage emulator."""
    from gcp_storage_emulator.server import create_server

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        # Read when gcsfs is imported: else it asks for a bucket's layout over gRPC, for minutes,
        # which the emulator does not speak.
        environment.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def gcs(gcs_endpoint: str, gcs_account: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of Google Cloud Storage, reached with the account that the environment names."""
    import httpx

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_endpoint)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(gcs_account))
    name = f"landing-{secrets.token_hex(4)}"
    made = httpx.post(f"{gcs_endpoint}/storage/v1/b", json={"name": name}, params={"project": "t"})
    made.raise_for_status()

    def put(path: str, content: bytes) -> None:
        httpx.post(
            f"{gcs_endpoint}/upload/storage/v1/b/{name}/o",
            params={"uploadType": "media", "name": path},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        ).raise_for_status()

    return Bucket(
        url=f"gs://{name}",
        endpoint=gcs_endpoint,
        credentials=None,
        fsspec={"token": str(gcs_account), "endpoint_url": gcs_endpoint},
        put=put,
    )
