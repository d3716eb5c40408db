"""Whether the chosen target can work on this machine, asked before any work starts.

Belongs here: looking at packages, Java, jars, key files, the lake, whether servers are there and
what they answer to a sign-in, and saying in one sentence what is missing, where it is set and what
to do. Does not belong here: the form of a setting, which is checked when settings are read
(`cdp.warehouse.settings`), or opening the warehouse.

Nothing heavy is imported before the target needs it, and for `duckdb` nothing at all.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.config.roles import load_roles
from cdp.warehouse.settings import Settings, java_program

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PACKAGES = {
    "spark": ("pyspark", "dbt-spark"),
    "snowflake": ("snowflake-connector-python", "dbt-snowflake"),
    "bigquery": ("google-cloud-bigquery", "dbt-bigquery", "sqlalchemy-bigquery"),
}
_JAVA = 17
"""The oldest Java that the pinned Spark runs on."""

_SECONDS = 15
"""How long a server is waited for; whoever is there answers in less."""

_SECONDS_TO_CONNECT = 5
"""How long a server is waited for that has only to take a connection."""

_PROBE = ".tributary-write-check-"


_seen: set[str] = set()
"""Settings that this process has found to work; what breaks later shows itself."""


class BadTarget(ValueError):
    """The chosen target cannot work here: one sentence with the cause, the setting and the cure."""


def check_target(settings: Settings) -> None:
    """See that the chosen target has all that it needs, and can be reached.

    Raises:
        BadTarget: something is missing or refused; nothing has been changed.
    """
    if settings.target == "duckdb" or repr(settings) in _seen:
        return
    _check_packages(settings.target)
    _CHECKS[settings.target](settings)
    _seen.add(repr(settings))


def private_key(settings: Settings) -> bytes:
    """Snowflake's private key as its client takes it: unencrypted DER, in memory alone.

    Raises:
        BadTarget: the file cannot be read, holds no such key, or the passphrase is not right.
    """
    from cryptography.hazmat.primitives import serialization

    return _rsa_key(settings).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def snowflake_login(settings: Settings) -> dict[str, Any]:
    """What Snowflake's client is told to sign in with.

    Raises:
        BadTarget: the private key cannot be read.
    """
    return {
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "private_key": private_key(settings),
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
        "database": settings.snowflake_database,
    }


def _check_packages(target: str) -> None:
    for name in _PACKAGES[target]:
        try:
            distribution(name)
        except PackageNotFoundError:
            raise BadTarget(
                f"the target {target} needs the package {name}, which is not installed; call "
                "`make engines`"
            ) from None


# --- Spark ---------------------------------------------------------------------------------------


def _check_spark(settings: Settings) -> None:
    _check_java()
    _check_jars(settings)
    _check_servers(settings)
    _check_lake(settings)


def _check_java() -> None:
    program = java_program()
    cure = f"install Java {_JAVA} (Debian: openjdk-{_JAVA}-jre-headless) or set JAVA_HOME to one"
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise BadTarget(
            f"the target spark needs Java {_JAVA} or newer, and {program} cannot be started; {cure}"
        ) from None
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
    # Up to 8 the version was written as 1.8.
    number = int(found[2] if found and found[1] == "1" and found[2] else found[1]) if found else 0
    if number < _JAVA:
        raise BadTarget(
            f"the target spark needs Java {_JAVA} or newer, and {program} is of version {number}; "
            f"{cure}"
        )


def _check_jars(settings: Settings) -> None:
    if {"spark.jars", "spark.jars.packages", "spark.remote"} & set(settings.spark_conf):
        return  # The deployment brings its own, or its cluster has them.
    wanted = ["delta-spark", "delta-storage"]
    if settings.lake.startswith("s3://"):
        wanted.append("hadoop-aws")
    if settings.lake.startswith("gs://"):
        wanted.append("gcs-connector")
    for name in wanted:
        if not any(settings.spark_jars.glob(f"{name}*.jar")):
            raise BadTarget(
                f"the setting spark_jars (CDP_SPARK_JARS) names {settings.spark_jars}, where there "
                f"is no jar {name}; call `make engines`, or name the folder that has it"
            )


_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "sqlserver": 1433, "derby": 1527}
"""Where a database listens whose address names no port."""


def _check_servers(settings: Settings) -> None:
    """See that the master and the catalogue's database take a connection: Spark asks for minutes,
    and says so in the words of Java."""
    if settings.spark_master.startswith("spark://"):
        masters = settings.spark_master.removeprefix("spark://").split(",")
        _check_any("the master", "spark_master", [_server(each, None) for each in masters])
    found = re.match(r"jdbc:([a-z]+):(?:[a-z]+:)*//([^/?;]+)", settings.spark_metastore_url or "")
    if found:
        # A user and a password may stand before the host.
        hosts = found[2].rpartition("@")[2].split(",")
        servers = [_server(each, _PORTS.get(found[1])) for each in hosts]
        _check_any("the catalogue's database", "spark_metastore_url", servers)


def _server(written: str, port: int | None) -> tuple[str, int | None]:
    """Host and port of an address; the port given where it names none."""
    host, colon, number = written.rpartition(":")
    if colon and number.isdigit():
        return host.strip("[]"), int(number)
    return written.strip("[]"), port


def _check_any(what: str, setting: str, servers: Sequence[tuple[str, int | None]]) -> None:
    """See that one of the servers takes a connection; one of no known port may."""
    told = ""
    for host, port in servers:
        if port is None:
            return
        try:
            socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT).close()
        except (OSError, ValueError, OverflowError) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            told = told or f"{host}:{port} ({cause.lower()})"
        else:
            return
    raise BadTarget(
        f"{what} of the setting {setting} (CDP_{setting.upper()}) cannot be reached at {told}; see "
        "that it runs and is reached from this machine, or name another"
    )


def _check_lake(settings: Settings) -> None:
    """Write a small object where tables will lie, read it and remove it."""
    import fsspec

    lake = settings.lake
    options: dict[str, Any] = {"skip_instance_cache": True}
    if lake.startswith("s3://"):
        # Its own patience is minutes.
        options["config_kwargs"] = {
            "connect_timeout": _SECONDS,
            "read_timeout": _SECONDS,
            "retries": {"max_attempts": 2},
        }
    try:
        store, path = fsspec.core.url_to_fs(lake, **options)
        probe = f"{path.rstrip('/')}/{_PROBE}{uuid.uuid4().hex}"
        if "://" not in lake:
            store.makedirs(path, exist_ok=True)
        store.pipe_file(probe, b"1")
        try:
            read = store.cat_file(probe)
        finally:
            store.rm_file(probe)
    except Exception as error:  # noqa: BLE001 - each client of a store raises what it likes
        raise BadTarget(_no_lake(lake, error)) from None
    if read != b"1":
        raise BadTarget(f"{_lake(lake)} gave back other bytes than were written; {_ANOTHER_LAKE}")


_ANOTHER_LAKE = "name a place that can be written in lake_url"


def _lake(lake: str) -> str:
    return f"the lake {lake} (the setting lake_url, CDP_LAKE_URL)"


def _no_lake(lake: str, error: Exception) -> str:
    """What stands in the way of the lake, by the kind of error: its text may hold anything."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "NoCredentialsError" in kinds or "DefaultCredentialsError" in kinds:
        cause, cure = "has no credentials here", "give them as docs/how-to/read-a-bucket.md says"
    elif isinstance(error, FileNotFoundError) and "://" in lake:
        cause, cure = "is in no bucket that exists", "make the bucket, or name another"
    elif isinstance(error, PermissionError):
        cause, cure = "cannot be written: permission is refused", _ANOTHER_LAKE
    elif isinstance(error, NotADirectoryError | FileExistsError):
        cause, cure = "cannot be written: a file stands in its way", _ANOTHER_LAKE
    elif "EndpointConnectionError" in kinds or "ClientConnectorError" in kinds:
        cause, cure = (
            "cannot be reached",
            "look at the network, and at AWS_ENDPOINT_URL if it is set",
        )
    elif isinstance(error, OSError) and error.strerror:
        cause, cure = f"cannot be written: {error.strerror.lower()}", _ANOTHER_LAKE
    else:
        cause, cure = f"cannot be written ({type(error).__name__})", _ANOTHER_LAKE
    return f"{_lake(lake)} {cause}; {cure}"


# --- Snowflake -----------------------------------------------------------------------------------


def _check_snowflake(settings: Settings) -> None:
    login = snowflake_login(settings)
    import snowflake.connector as client

    try:
        connection = client.connect(**login, login_timeout=_SECONDS, network_timeout=_SECONDS)
    except client.errors.Error as error:
        raise BadTarget(
            f"Snowflake's account {settings.snowflake_account} does not let user "
            f"{settings.snowflake_user} in (error {error.errno}); see that the account is reached "
            "from here, that the user has the public key of snowflake_private_key_path, and that "
            f"the role {settings.snowflake_role} is granted to it"
        ) from None
    try:
        row = connection.cursor().execute(
            "SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE()"
        )
        usable = row.fetchone() if row else None
    except client.errors.Error as error:
        raise BadTarget(
            f"Snowflake's account {settings.snowflake_account} lets user {settings.snowflake_user} "
            f"in and answers no query (error {error.errno}); try again later"
        ) from None
    finally:
        connection.close()
    names = ("snowflake_role", "snowflake_warehouse", "snowflake_database")
    for name, found in zip(names, tuple(usable or (None,) * 3), strict=True):
        # The server lets in whoever has the key, and leaves out what the user may not use.
        if found is None:
            raise BadTarget(
                f"the setting {name} (CDP_{name.upper()}) names {getattr(settings, name)}, which "
                f"is not there or which {settings.snowflake_user} may not use; make it, or grant it"
            )


def _rsa_key(settings: Settings) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = settings.snowflake_private_key_path
    assert path is not None
    said = f"the setting snowflake_private_key_path (CDP_SNOWFLAKE_PRIVATE_KEY_PATH) names {path}"
    secret = settings.snowflake_private_key_passphrase
    phrase = secret.get_secret_value().encode() if secret else None
    raw = _bytes_of(path, said)
    encrypted = b"ENCRYPTED" in raw
    if phrase and not encrypted:
        raise BadTarget(
            f"{said}, a key without a passphrase, and snowflake_private_key_passphrase is set; "
            "unset it"
        )
    if encrypted and not phrase:
        raise BadTarget(
            f"{said}, a key with a passphrase; set CDP_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"
        )
    try:
        key = load_pem_private_key(raw, phrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise BadTarget(
                f"{said}, a key that the passphrase in CDP_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE does "
                "not open; set the right one"
            ) from None
        raise BadTarget(
            f"{said}, which holds no private key in PEM; make one with `openssl genrsa 2048 | "
            "openssl pkcs8 -topk8` and give the user its public key"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise BadTarget(f"{said}, a key of another kind than RSA, the only one that is taken")
    return key


def _bytes_of(path: Path, said: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        told = (error.strerror or type(error).__name__).lower()
        raise BadTarget(
            f"{said}, which cannot be read ({told}); name the key's file, and let this user read it"
        ) from None


# --- BigQuery ------------------------------------------------------------------------------------


def _check_bigquery(settings: Settings) -> None:
    roles = load_roles(settings)
    unknown = sorted(set(settings.bigquery_members) - set(roles))
    if unknown:
        raise BadTarget(
            "the setting bigquery_members (CDP_BIGQUERY_MEMBERS) gives members to "
            f"{', '.join(unknown)}, which config/roles.yml does not have; allowed: "
            f"{', '.join(roles)}"
        )
    credentials = google_credentials(settings)
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery

    client = bigquery.Client(
        project=settings.bigquery_project,
        credentials=credentials,
        location=settings.bigquery_location,
    )
    try:
        list(client.list_datasets(max_results=1, retry=None, timeout=_SECONDS))  # type: ignore[arg-type]
    except GoogleAPICallError as error:
        raise BadTarget(
            f"BigQuery refuses the project {settings.bigquery_project} (the setting "
            f"bigquery_project, CDP_BIGQUERY_PROJECT) with code {error.code}; see that it exists, "
            "has the BigQuery API, and that the account has the roles BigQuery Data Owner and Job "
            "User in it"
        ) from None
    except GoogleAuthError:
        raise BadTarget(
            "Google does not take the account of bigquery_keyfile (CDP_BIGQUERY_KEYFILE) or of the "
            "application default credentials; see that the key is in force"
        ) from None
    except OSError as error:
        raise BadTarget(
            f"BigQuery cannot be reached ({type(error).__name__}); look at the network"
        ) from None
    finally:
        client.close()  # type: ignore[no-untyped-call]
    if settings.bigquery_taxonomy:
        _check_taxonomy(settings.bigquery_taxonomy, credentials)


def _check_taxonomy(taxonomy: str, credentials: Any) -> None:
    """Ask for the tags as publishing will, for which a run is late to learn of a wrong name."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    from cdp.warehouse.engines.bigquery_rights import TAGS

    said = f"the taxonomy {taxonomy} (the setting bigquery_taxonomy, CDP_BIGQUERY_TAXONOMY)"
    try:
        with AuthorizedSession(credentials) as desk:  # type: ignore[no-untyped-call]
            answer = desk.get(f"{TAGS}/{taxonomy}/policyTags?pageSize=1", timeout=_SECONDS)
    except (GoogleAuthError, OSError) as error:
        raise BadTarget(
            f"{said} cannot be asked for at Google's Data Catalog ({type(error).__name__}); look "
            "at the network"
        ) from None
    if not answer.ok:
        raise BadTarget(
            f"Google's Data Catalog refuses {said} with code {answer.status_code}; see that it "
            "exists, that its project has the Data Catalog API, and that the account has the roles "
            "Data Catalog Admin and Policy Tag Admin"
        )


def google_credentials(settings: Settings) -> Any:
    """The account of the key file, or that of the machine.

    Raises:
        BadTarget: there is none, or its file is not of the form.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.oauth2 import service_account

    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    path = settings.bigquery_keyfile
    if path is None:
        try:
            credentials, _ = google.auth.default(scopes=scopes)
        except DefaultCredentialsError:
            raise BadTarget(
                "the target bigquery finds no credentials; set bigquery_keyfile "
                "(CDP_BIGQUERY_KEYFILE) to a service account's key file, or call `gcloud auth "
                "application-default login`"
            ) from None
        return credentials
    said = f"the setting bigquery_keyfile (CDP_BIGQUERY_KEYFILE) names {path}"
    try:
        # What a damaged key makes the library say may hold a part of it.
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            json.loads(_bytes_of(path, said)), scopes=scopes
        )
    except BadTarget:
        raise
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadTarget(
            f"{said}, which is no key file of a service account; make one under IAM, Service "
            "accounts, Keys, as JSON"
        ) from None


_CHECKS: dict[str, Callable[[Settings], None]] = {
    "spark": _check_spark,
    "snowflake": _check_snowflake,
    "bigquery": _check_bigquery,
}
