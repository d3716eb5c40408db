"""A target that cannot work ends in one sentence that names the setting, before any work starts."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from cdp.commands.terminal import Exit, explain
from cdp.warehouse.engines import checking
from cdp.warehouse.engines.checking import check_target
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from tests.cli.command import cdp, complaint
from tests.engines.told_of_targets import BIGQUERY, ENGINES, told
from tests.services.object_stores import Bucket
from tests.services.ports import free_port

SNOWFLAKE = {
    "target": "snowflake",
    "snowflake_account": "myorg-account1",
    "snowflake_user": "tributary",
    "snowflake_private_key_path": "key.pem",
    "snowflake_role": "TRIBUTARY",
    "snowflake_warehouse": "TRIBUTARY_WH",
    "snowflake_database": "CDP",
}
PHRASE = "correct horse battery"


pytestmark = pytest.mark.usefixtures("installed")


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "missing"),
    [(SNOWFLAKE, name) for name in SNOWFLAKE if name != "target"]
    + [(BIGQUERY, name) for name in BIGQUERY if name != "target"],
)
def test_what_a_target_needs_and_is_not_set_is_named(
    declared: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in declared.items():
        monkeypatch.setenv(f"CDP_{name.upper()}", value)
    load_settings()
    for nothing in ("", None):
        monkeypatch.delenv(f"CDP_{missing.upper()}")
        if nothing is not None:
            monkeypatch.setenv(f"CDP_{missing.upper()}", nothing)
        with pytest.raises(ValidationError) as caught:
            load_settings()
        failure = explain(caught.value)
        assert failure
        assert failure.code == Exit.WRONG_INPUT
        assert f"the target {declared['target']} needs it and it is not set" in str(failure)
        assert f"CDP_{missing.upper()}" in str(failure)
        monkeypatch.setenv(f"CDP_{missing.upper()}", "x")


@pytest.mark.parametrize("target", ["duckdb", "spark"])
def test_a_target_needs_nothing_of_another(target: str) -> None:
    assert load_settings(target=target).target == target


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("target", "redshift", "'duckdb', 'spark', 'snowflake' or 'bigquery'"),
        ("lake_url", "s3a://bucket/lake", "expected a folder, s3://bucket/path"),
        ("lake_url", "abfss://lake@account/x", "expected a folder, s3://bucket/path"),
        ("lake_url", "s3://", "expected a folder, s3://bucket/path"),
        ("spark_master", "host:7077", "expected local, local[4]"),
        ("spark_master", "spark://host", "spark://host:7077"),
        ("spark_master", "local[many]", "expected local, local[4]"),
        ("spark_conf", "memory=4g", "expected a JSON object"),
        ("spark_metastore_url", "postgresql://host/x", "expected a JDBC address"),
        ("snowflake_account", "https://acme.snowflakecomputing.com", "and not an address"),
        ("snowflake_account", "acme.snowflakecomputing.com", "and not an address"),
        ("snowflake_role", 'A" TO ROLE "B', "a name of letters"),
        ("snowflake_database", "my database", "a name of letters"),
        ("snowflake_warehouse", "1st", "a name of letters"),
        ("bigquery_project", "12345", "a project's id"),
        ("bigquery_project", "Acme CDP", "a project's id"),
        ("bigquery_location", "Frankfurt am Main", "a location such as EU"),
        ("bigquery_taxonomy", "personal", "a taxonomy's full name"),
        ("bigquery_members", '{"analyst": ["ada@example.com"]}', "expected members such as"),
        ("bigquery_members", '{"analyst": ["allUsers"]}', "expected members such as"),
        ("bigquery_members", '{"analyst": ["group:a\\"@b"]}', "expected members such as"),
        ("bigquery_members", "analyst", "expected a JSON object"),
    ],
)
def test_a_setting_of_a_wrong_form_is_refused_with_what_was_expected(
    name: str, written: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CDP_{name.upper()}", written)
    with pytest.raises(ValidationError) as caught:
        load_settings()
    said = str(explain(caught.value))
    assert expected in said
    assert f"CDP_{name.upper()}" in said


def test_members_and_properties_are_read_as_json_and_as_yaml_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDP_BIGQUERY_MEMBERS", '{"analyst": ["group:analysts@example.com"]}')
    settings = load_settings(spark_conf={"spark.executor.cores": 4, "spark.ui.enabled": True})
    assert settings.bigquery_members == {"analyst": ("group:analysts@example.com",)}
    assert settings.spark_conf == {"spark.executor.cores": "4", "spark.ui.enabled": "true"}


def test_a_passphrase_is_shown_nowhere(tmp_path: Path) -> None:
    settings = of_snowflake(tmp_path, passphrase=PHRASE)
    assert PHRASE not in repr(settings)
    assert PHRASE not in settings.model_dump_json()


# --- packages ------------------------------------------------------------------------------------


def test_the_default_target_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cdp.warehouse.settings import load_settings; "
        "from cdp.warehouse.engines.checking import check_target; check_target(load_settings()); "
        "heavy = {'pyspark', 'snowflake', 'google.auth', 'fsspec', 'cryptography', 'dbt'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True)


@pytest.mark.parametrize("target", ["spark", "snowflake", "bigquery"])
def test_a_package_that_is_not_installed_is_named(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(checking, "distribution", nowhere)
    declared = {**SNOWFLAKE, **BIGQUERY, "target": target}
    assert "is not installed; call `make engines`" in told(load_settings(**declared))


# --- Spark ---------------------------------------------------------------------------------------


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Java that says version 21, in place of the machine's."""
    program = tmp_path / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\" 2023-10-17' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    return program


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("delta-spark_4.2_2.13-4.4.0", "delta-storage-4.4.0"):
        (folder / f"{name}.jar").touch()
    return folder


def spark(tmp_path: Path, jars: Path, **changes: Any) -> Settings:
    return load_settings(
        **{"target": "spark", "home": tmp_path / "home", "spark_jars": jars, **changes}
    )


@pytest.mark.usefixtures("java")
def test_a_lake_that_can_be_written_is_left_as_it_was(tmp_path: Path, jars: Path) -> None:
    settings = spark(tmp_path, jars)
    check_target(settings)
    assert list(Path(settings.lake).iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("echo 'java version \"1.8.0_402\"' >&2", "is of version 8"),
        ("echo 'openjdk version \"11.0.22\" 2024-01-16' >&2", "is of version 11"),
        ("echo nothing", "is of version 0"),
        ("exit 1", "cannot be started"),
    ],
)
def test_an_old_java_is_told_with_its_version(
    java: Path, tmp_path: Path, jars: Path, answer: str, said: str
) -> None:
    java.write_text(f"#!/bin/sh\n{answer}\n")
    found = told(spark(tmp_path, jars))
    assert said in found
    assert "JAVA_HOME" in found


def test_a_missing_java_is_told(java: Path, tmp_path: Path, jars: Path) -> None:
    java.unlink()
    assert "needs Java 17 or newer" in told(spark(tmp_path, jars))


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(
    ("lake", "jar"),
    [(None, "delta-storage"), ("s3://lake/l", "hadoop-aws"), ("gs://lake/l", "gcs-conn")],
)
def test_a_missing_jar_is_named(tmp_path: Path, jars: Path, lake: str | None, jar: str) -> None:
    (jars / "delta-storage-4.4.0.jar").rename(jars / "delta-storage-4.4.0.jar.part")
    if lake:
        (jars / "delta-storage-4.4.0.jar.part").rename(jars / "delta-storage-4.4.0.jar")
    said = told(spark(tmp_path, jars, lake_url=lake))
    assert jar in said
    assert "CDP_SPARK_JARS" in said


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.usefixtures("java")
def test_a_master_that_is_not_there_is_told(tmp_path: Path, jars: Path, listening: int) -> None:
    nobody, somebody = f"127.0.0.1:{free_port()}", f"127.0.0.1:{listening}"
    said = told(spark(tmp_path, jars, spark_master=f"spark://{nobody}"))
    assert f"CDP_SPARK_MASTER) cannot be reached at {nobody} (connection refused)" in said
    assert not (tmp_path / "home").exists()
    said = told(spark(tmp_path, jars, spark_master="spark://no-such-host.invalid:7077"))
    assert "cannot be reached at no-such-host.invalid:7077" in said
    # Of several masters one leads and the others wait, or are away.
    check_target(spark(tmp_path, jars, spark_master=f"spark://{nobody},{somebody}"))


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(
    "url",
    [
        "jdbc:postgresql://{}/catalogue?user=ada&password=hunter2",
        "jdbc:mysql://ada:hunter2@{}/catalogue",
        "jdbc:sqlserver://{};databaseName=catalogue;password=hunter2",
    ],
)
def test_a_catalogue_s_database_that_is_not_there_is_told_without_its_password(
    tmp_path: Path, jars: Path, listening: int, url: str
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    said = told(spark(tmp_path, jars, spark_metastore_url=url.format(nobody)))
    assert f"CDP_SPARK_METASTORE_URL) cannot be reached at {nobody}" in said
    assert "hunter2" not in said
    check_target(spark(tmp_path, jars, spark_metastore_url=url.format(f"127.0.0.1:{listening}")))


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(
    "url",
    ["jdbc:derby:;databaseName=catalogue;create=true", "jdbc:other://nobody.invalid/x"],
)
def test_a_catalogue_whose_server_cannot_be_told_is_left_to_spark(
    tmp_path: Path, jars: Path, url: str
) -> None:
    check_target(spark(tmp_path, jars, spark_metastore_url=url))


@pytest.mark.usefixtures("java")
def test_a_lake_behind_a_file_is_told(tmp_path: Path, jars: Path) -> None:
    (tmp_path / "file").touch()
    said = told(spark(tmp_path, jars, lake_url=str(tmp_path / "file" / "lake")))
    assert "a file stands in its way" in said
    assert "CDP_LAKE_URL" in said


@pytest.mark.usefixtures("java")
def test_a_lake_that_this_user_may_not_write_is_told(
    tmp_path: Path, jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    # Nothing is refused to root, whom tests may run as.
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", refuse)
    assert "permission is refused" in told(spark(tmp_path, jars))


def in_s3(tmp_path: Path, jars: Path, url: str) -> Settings:
    (jars / "hadoop-aws-3.4.3.jar").touch()
    return spark(tmp_path, jars, lake_url=url)


@pytest.fixture
def of_s3(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket that is reached by what the environment says, as a deployment's is."""
    assert s3.credentials
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.credentials["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.credentials["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return s3


@pytest.mark.usefixtures("java")
def test_a_bucket_that_can_be_written_is_left_as_it_was(
    tmp_path: Path, jars: Path, of_s3: Bucket
) -> None:
    import fsspec

    check_target(in_s3(tmp_path, jars, f"{of_s3.url}/lake"))
    store = fsspec.filesystem("s3", skip_instance_cache=True, **of_s3.fsspec)
    assert store.find(of_s3.url) == []


@pytest.mark.usefixtures("java", "of_s3")
def test_a_bucket_that_is_not_there_is_told(tmp_path: Path, jars: Path) -> None:
    said = told(in_s3(tmp_path, jars, "s3://no-such-bucket-here/lake"))
    assert "is in no bucket that exists" in said
    assert "CDP_LAKE_URL" in said


@pytest.mark.usefixtures("java", "of_s3")
def test_a_store_that_does_not_answer_is_told(
    tmp_path: Path, jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached" in told(in_s3(tmp_path, jars, "s3://bucket/lake"))


@pytest.mark.usefixtures("java", "of_s3")
def test_a_bucket_without_credentials_is_told(
    tmp_path: Path, jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "has no credentials here" in told(in_s3(tmp_path, jars, "s3://bucket/lake"))


@pytest.mark.usefixtures("java")
def test_a_bucket_of_google_s_is_looked_at_too(tmp_path: Path, jars: Path, gcs: Bucket) -> None:
    (jars / "gcs-connector-hadoop3.jar").touch()
    check_target(spark(tmp_path, jars, lake_url=f"{gcs.url}/lake"))
    assert "CDP_LAKE_URL" in told(spark(tmp_path, jars, lake_url="gs://no-such-bucket-here/lake"))


# --- Snowflake -----------------------------------------------------------------------------------


def pem(key: Any, passphrase: str | None = None) -> bytes:
    written: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    )
    return written


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def of_snowflake(
    folder: Path, content: bytes | None = None, passphrase: str | None = None
) -> Settings:
    path = folder / "key.pem"
    if content is not None:
        path.write_bytes(content)
    return load_settings(
        **{
            **SNOWFLAKE,
            "snowflake_private_key_path": path,
            "snowflake_private_key_passphrase": passphrase,
        }
    )


def test_a_key_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = told(of_snowflake(tmp_path))
    assert "which cannot be read (no such file or directory)" in said
    assert "CDP_SNOWFLAKE_PRIVATE_KEY_PATH" in said


def test_a_folder_in_place_of_a_key_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "key.pem").mkdir()
    assert "which cannot be read (is a directory)" in told(of_snowflake(tmp_path))


def test_a_file_that_is_no_private_key_is_told_and_not_shown(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for content in (b"", b"hunter2", public, pem(rsa_key)[:300], b"\x00\xff" * 50):
        said = told(of_snowflake(tmp_path, content))
        assert "which holds no private key in PEM" in said
        assert "hunter2" not in said


def test_a_key_of_another_kind_is_told(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert "a key of another kind than RSA" in told(of_snowflake(tmp_path, pem(key)))


def test_a_passphrase_that_is_missing_wrong_or_too_much_is_told(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    locked = pem(rsa_key, PHRASE)
    assert "a key with a passphrase; set CDP_" in told(of_snowflake(tmp_path, locked))
    said = told(of_snowflake(tmp_path, locked, "hunter2"))
    assert "does not open" in said
    assert "hunter2" not in said
    assert "a key without a passphrase" in told(of_snowflake(tmp_path, pem(rsa_key), PHRASE))


def test_a_key_with_its_passphrase_is_opened(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    opened = checking.private_key(of_snowflake(tmp_path, pem(rsa_key, PHRASE), PHRASE))
    assert serialization.load_der_private_key(opened, None).private_numbers() == (  # type: ignore[union-attr]
        rsa_key.private_numbers()
    )


def test_an_account_that_does_not_let_one_in_is_told_without_the_server_s_words(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("snowflake.connector", reason=ENGINES)

    def refuse(**_: Any) -> None:
        raise client.errors.DatabaseError("JWT token is invalid abc", errno=250001)

    monkeypatch.setattr(client, "connect", refuse)
    said = told(of_snowflake(tmp_path, pem(rsa_key)))
    assert "does not let user tributary in (error 250001)" in said
    assert "JWT" not in said


@pytest.mark.parametrize(
    "missing", [None, "snowflake_role", "snowflake_warehouse", "snowflake_database"]
)
def test_what_the_user_may_not_use_is_named(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    client = pytest.importorskip("snowflake.connector", reason=ENGINES)
    usable = ("snowflake_role", "snowflake_warehouse", "snowflake_database")

    class Answering:
        """Answers with what is usable: fakesnow has no CURRENT_WAREHOUSE."""

        def cursor(self) -> Answering:
            return self

        def execute(self, _: str) -> Answering:
            return self

        def fetchone(self) -> tuple[str | None, ...]:
            return tuple(None if name == missing else SNOWFLAKE[name] for name in usable)

        def close(self) -> None:
            pass

    monkeypatch.setattr(client, "connect", lambda **_: Answering())
    settings = of_snowflake(tmp_path, pem(rsa_key))
    if missing is None:
        check_target(settings)
    else:
        said = told(settings)
        assert f"{missing} (CDP_{missing.upper()}) names {SNOWFLAKE[missing]}" in said


def without_credentials(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a project on a machine that nobody has signed in on."""
    pytest.importorskip("google.cloud.bigquery", reason=ENGINES)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return BIGQUERY


def with_a_lake_behind_a_file(folder: Path, _: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a lake that cannot be written; nothing is refused to root, but this is."""
    pytest.importorskip("pyspark", reason=ENGINES)
    (folder / "file").touch()
    return {"target": "spark", "lake_url": str(folder / "file" / "lake")}


@pytest.mark.integration
@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("command", [["run"], ["status"], ["fit", "rfm"]], ids=" ".join)
@pytest.mark.parametrize(
    ("target", "said"),
    [
        (without_credentials, "finds no credentials; set bigquery_keyfile"),
        (with_a_lake_behind_a_file, "a file stands in its way; name a place"),
    ],
    ids=["without credentials", "a lake behind a file"],
)
def test_a_command_says_what_is_the_matter_with_its_target_and_writes_nothing(
    command: list[str],
    target: Callable[[Path, pytest.MonkeyPatch], dict[str, str]],
    said: str,
    tmp_path: Path,
    jars: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    declared: dict[str, Any] = target(tmp_path, monkeypatch)
    done = cdp(home, *command, spark_jars=str(jars), **declared)
    # The number, which is what other programs know it by.
    assert done.returncode == 2, done.stderr
    assert said in complaint(done)
    assert done.stdout == ""
    assert list(home.iterdir()) == []
