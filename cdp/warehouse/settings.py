"""The settings of a deployment, and the only place where the environment is read.

Belongs here: every knob a person may turn, its default, its meaning, and the paths derived from
the data home. Does not belong here: what a deployment declares about its data (sources, traits,
segments), which is read by `cdp.config`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cdp.config.yaml_text import ConfigError, load_yaml

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The clone: the folder that holds `config/`, `dbt_project/` and `pyproject.toml`."""


class MissingSecret(LookupError):
    """A secret that the configuration refers to is not in the environment."""


def _listed(value: Any) -> Any:
    """A list as the environment holds it: parted by commas, or as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(
                'expected a list parted by commas, such as a,b, or as JSON, such as ["a", "b"]'
            ) from None
    return [item for part in value.split(",") if (item := part.strip())]


TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


def _object(example: str) -> Callable[[Any], Any]:
    """Reads an object as the environment holds it: as JSON."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(f"expected a JSON object, such as {example}") from None

    return read


def _as_spark_reads_it(value: Any) -> Any:
    """A property's value as text, since Spark has no other and YAML reads 4 and true as such."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _of_this_machine(shape: dict[str, Any]) -> None:
    """Keeps a path of this machine out of the schema, which is committed."""
    shape.pop("default", None)


SparkConf = Annotated[
    dict[str, Annotated[str, BeforeValidator(_as_spark_reads_it)]],
    NoDecode,
    BeforeValidator(_object('{"spark.executor.memory": "4g"}')),
]
Members = Annotated[
    dict[str, tuple[str, ...]],
    NoDecode,
    BeforeValidator(_object('{"analyst": ["group:analysts@example.com"]}')),
]

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*[KMGT](?:i?B)?", re.IGNORECASE)
_BUCKET = re.compile(r"(s3|gs)://[A-Za-z0-9][A-Za-z0-9._-]{1,}(/.*)?")
_MASTER = re.compile(r"local(\[(\*|\d+)(,\d+)?\])?|spark://\S+:\d+|k8s://\S+|yarn")
_MEMBER = re.compile(r"(user|group|serviceAccount|domain):[A-Za-z0-9._%+@-]+")

_NEEDED = {
    "snowflake_account": "the account's identifier, such as myorg-account1",
    "snowflake_user": "the user that Tributary signs in as",
    "snowflake_private_key_path": "the file that holds the user's private key",
    "snowflake_role": "the account role that owns what Tributary builds",
    "snowflake_warehouse": "the virtual warehouse that computes",
    "snowflake_database": "the database that holds the schemas of all stages",
    "bigquery_project": "the id of the project that holds the datasets of all stages",
    "bigquery_location": "the location of its datasets, such as EU or europe-west3; it is for ever",
}
"""What a target cannot do without: settings that begin with its name, and what each of them is."""

_PLAIN_NAME = (
    re.compile(r"[A-Za-z_][A-Za-z0-9_$]*"),
    "a name of letters, digits, _ and $ that does not begin with a digit",
)
_FORMS = {
    "snowflake_account": (
        re.compile(r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*(?<!snowflakecomputing\.com)"),
        "an account's identifier, such as myorg-account1, and not an address",
    ),
    "snowflake_role": _PLAIN_NAME,
    "snowflake_warehouse": _PLAIN_NAME,
    "snowflake_database": _PLAIN_NAME,
    "bigquery_project": (
        re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
        "a project's id, such as acme-cdp, and not its number or display name",
    ),
    "bigquery_location": (
        re.compile(r"[A-Za-z]+(-[a-z]+[0-9]+)?"),
        "a location such as EU or europe-west3",
    ),
    "bigquery_taxonomy": (
        re.compile(r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/taxonomies/[0-9]+"),
        "a taxonomy's full name, projects/<project>/locations/<location>/taxonomies/<number>",
    ),
}
"""The form of settings that become a part of SQL or of an address, and how to say it."""


Target = Literal["duckdb", "spark", "snowflake", "bigquery"]
"""The engines that can hold a warehouse."""

TARGETS: tuple[str, ...] = get_args(Target)


class Settings(BaseSettings):
    """A deployment's settings: from `CDP_*` variables, else `config/deployment.yml`, else here."""

    model_config = SettingsConfigDict(env_prefix="CDP_", frozen=True, extra="forbid")

    home: Path = Field(
        PROJECT_ROOT / ".cdp",
        description="Folder for everything the deployment writes; deleting it is a full reset.",
    )
    config: Path = Field(
        PROJECT_ROOT / "config",
        description="Folder with the deployment's declarations.",
    )
    target: Target = Field(
        "duckdb",
        description="The engine that holds the warehouse; it decides where rows land, what builds "
        "the models, what checks them and how a set is published.",
    )
    lake_url: str | None = Field(
        None,
        description="Where the lake lies when the target is `spark`: a folder, or a bucket as "
        "`s3://bucket/path` or `gs://bucket/path`. Without it, the folder `lake` of the data home.",
    )
    spark_master: str = Field(
        "local[*]",
        description="Spark's master: `local[*]`, `spark://host:7077`, `yarn`, `k8s://…`.",
    )
    spark_conf: SparkConf = Field(
        {},
        description="Properties of the Spark session, over those that Tributary sets, as JSON.",
    )
    spark_jars: Path = Field(
        PROJECT_ROOT / ".venv" / "jars",
        description="Folder of the jars that Spark needs beside its own; `make engines` fills it.",
        json_schema_extra=_of_this_machine,
    )
    spark_metastore_url: str | None = Field(
        None,
        description="JDBC address of the database that holds Spark's catalogue. Without it, one "
        "embedded in the data home, which one process can open at a time.",
    )
    snowflake_account: str | None = Field(
        None, description="Identifier of the Snowflake account, such as `myorg-account1`."
    )
    snowflake_user: str | None = Field(
        None, description="User that Tributary signs in as, whose public key the account knows."
    )
    snowflake_private_key_path: Path | None = Field(
        None, description="File of the user's private key: RSA, in PEM."
    )
    snowflake_private_key_passphrase: SecretStr | None = Field(
        None, description="Passphrase of the key, where it has one; set its variable."
    )
    snowflake_role: str | None = Field(
        None, description="Account role that owns what is built. It sees every column."
    )
    snowflake_warehouse: str | None = Field(
        None, description="Snowflake's virtual warehouse, the machines that compute."
    )
    snowflake_database: str | None = Field(
        None, description="Database of the schemas of all stages; nobody else builds in it."
    )
    bigquery_project: str | None = Field(
        None, description="Google Cloud project of the datasets of all stages."
    )
    bigquery_location: str | None = Field(
        None, description="Location of the datasets: `EU`, `US` or a region. They never move."
    )
    bigquery_keyfile: Path | None = Field(
        None,
        description="Key file (JSON) of a service account. Without it, the application default "
        "credentials of the machine.",
    )
    bigquery_taxonomy: str | None = Field(
        None,
        description="Taxonomy whose policy tags mark personal columns. Without it, columns are "
        "kept from roles by their views alone.",
    )
    bigquery_members: Members = Field(
        {},
        description="Who has each role of `roles.yml` in BigQuery, which has no roles of its own: "
        "users, groups and service accounts by role, as JSON.",
    )
    as_of: datetime | None = Field(
        None,
        description="The moment (UTC) that a run computes for; without it, the moment it starts.",
    )
    timezone: str = Field(
        "UTC",
        description="IANA zone in which `today` and dates without a time are read.",
    )
    base_currency: str = Field(
        "USD",
        pattern="^[A-Z]{3}$",
        description="ISO 4217 currency that amounts are converted to.",
    )
    default_country: str = Field(
        "US",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 country of phone numbers that name none.",
    )
    internal_networks: TextList = Field(
        (),
        description="CIDR networks whose traffic is the company's own, not a visitor's.",
    )
    internal_email_domains: TextList = Field(
        (), description="E-mail domains of the company's own people."
    )
    lock_wait_seconds: float = Field(
        3600.0,
        ge=0,
        description="How long a run waits for the one that holds the warehouse.",
    )
    memory_limit: str = Field(
        "8GB",
        description="Memory that the embedded engine may use: a number with MB, GB or TB.",
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 2,
        ge=1,
        description="Threads of the embedded engine.",
    )
    serving_sets_kept: int = Field(
        3,
        ge=2,
        description="Published sets that stay on disk, the current one included.",
    )
    alert_webhook_url: str | None = Field(
        None,
        description="Where alerts are posted as JSON; none leaves them in the log.",
    )
    alert_email_to: TextList = Field((), description="Addresses that alerts are mailed to.")
    alert_email_from: str = Field(
        "tributary@localhost", description="Sender address of alert mails."
    )
    smtp_host: str | None = Field(None, description="Mail server of alert mails.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: Literal["if_offered", "none", "starttls", "tls"] = Field(
        "if_offered",
        description="How the way to the mail server is encrypted: `tls` from the first byte, "
        "`starttls` after a greeting, both only with a certificate that holds; `none`; or "
        "`if_offered`, as the server likes and whatever its certificate.",
    )
    smtp_user: str | None = Field(None, description="Name to sign in with at the mail server.")
    smtp_password: SecretStr | None = Field(
        None, description="Password of `smtp_user`; set its variable, so that it stands in no file."
    )

    @field_validator("home", "config", "spark_jars", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("snowflake_private_key_path", "bigquery_keyfile", mode="after")
    @classmethod
    def _absolute_if_set(cls, value: Path | None) -> Path | None:
        # An empty variable says "none", where Path would read the working directory.
        return value.expanduser().absolute() if value and value != Path() else None

    @field_validator("lake_url", mode="after")
    @classmethod
    def _place_of_lake(cls, value: str | None) -> str | None:
        if not value:
            return None
        if "://" not in value:
            return str(Path(value).expanduser().absolute())
        if not _BUCKET.fullmatch(value):
            raise ValueError(
                "expected a folder, s3://bucket/path or gs://bucket/path (whatever speaks S3 is s3)"
            )
        return value.rstrip("/")

    @field_validator("spark_master", mode="after")
    @classmethod
    def _known_master(cls, value: str) -> str:
        if not _MASTER.fullmatch(value):
            raise ValueError(
                "expected local, local[4], local[*], spark://host:7077, yarn or k8s://…"
            )
        return value

    @field_validator("spark_metastore_url", mode="after")
    @classmethod
    def _jdbc(cls, value: str | None) -> str | None:
        if value and not value.startswith("jdbc:"):
            raise ValueError("expected a JDBC address, such as jdbc:postgresql://host/catalogue")
        return value

    @field_validator(*_NEEDED, mode="after")
    @classmethod
    def _needed_by_target(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        target = name.partition("_")[0]
        if not value and info.data.get("target") == target:
            raise ValueError(f"the target {target} needs it and it is not set: {_NEEDED[name]}")
        return value

    @field_validator(*_FORMS, mode="after")
    @classmethod
    def _of_its_form(cls, value: str | None, info: ValidationInfo) -> str | None:
        form, told = _FORMS[str(info.field_name)]
        if value and not form.fullmatch(value):
            raise ValueError(f"expected {told}")
        return value or None

    @field_validator("bigquery_taxonomy", mode="after")
    @classmethod
    def _beside_the_datasets(cls, value: str | None, info: ValidationInfo) -> str | None:
        lies = info.data.get("bigquery_location")
        if value and lies and f"/locations/{lies.lower()}/" not in value:
            raise ValueError(
                f"expected a taxonomy in {lies}, where bigquery_location has the datasets: tags of "
                "another location cannot be set there"
            )
        return value

    @field_validator("bigquery_members", mode="after")
    @classmethod
    def _who_can_be_granted(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for each in (member for members in value.values() for member in members):
            if not _MEMBER.fullmatch(each):
                raise ValueError(
                    "expected members such as user:ada@example.com, group:analysts@example.com or "
                    "serviceAccount:name@project.iam.gserviceaccount.com"
                )
        return value

    @field_validator("as_of", mode="after")
    @classmethod
    def _naive_utc(cls, value: datetime | None) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    @field_validator("timezone", mode="after")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                "expected the name of an IANA time zone such as Europe/Berlin"
            ) from error
        return value

    @field_validator("internal_networks", mode="after")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(
                    f"'{each}' is no network; expected networks such as 10.0.0.0/8 or 2001:db8::/32"
                ) from None
        return value

    @field_validator("memory_limit", mode="after")
    @classmethod
    def _size_of_memory(cls, value: str) -> str:
        found = _MEMORY.fullmatch(value.strip())
        if not found or not float(found[1]):
            raise ValueError("expected a size such as 4GB or 512MB, not a share of memory")
        return value.strip()

    @field_validator("smtp_host", mode="after")
    @classmethod
    def _can_mail(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.data.get("alert_email_to"):
            raise ValueError(
                "alert_email_to names addresses, and no mail server is set that takes mails to them"
            )
        return value

    @field_validator("smtp_password", mode="after")
    @classmethod
    def _can_sign_in(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("smtp_user") is None):
            raise ValueError("smtp_user and smtp_password are set together or not at all")
        if value is not None and info.data.get("smtp_tls") == "if_offered":
            raise ValueError(
                "a password is not sent for all to read: set smtp_tls to starttls or tls, or to "
                "none where the way to the mail server is safe by itself"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed wins over the environment, which wins over `deployment.yml`."""
        deployment = _DeploymentFile(settings_cls, init_settings, env_settings)
        return init_settings, env_settings, deployment

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file of the embedded warehouse."""
        return self.home / "warehouse.duckdb"

    @property
    def lock_file(self) -> Path:
        """The operating-system lock that makes one writer of many runs."""
        return self.home / "warehouse.lock"

    @property
    def landing_dir(self) -> Path:
        """Where files from outside are put for the shipped sources."""
        return self.home / "landing"

    @property
    def demo_dir(self) -> Path:
        """The generated shop's own database."""
        return self.home / "demo"

    @property
    def truth_dir(self) -> Path:
        """The generated shop's ground truth, for tests only."""
        return self.home / "truth"

    @property
    def lake(self) -> str:
        """Where the lake's tables lie, as a URL or an absolute path."""
        return self.lake_url or str(self.home / "lake")

    @property
    def spark_dir(self) -> Path:
        """What Spark keeps beside the lake: its embedded catalogue, and what spills to disk."""
        return self.home / "spark"

    @property
    def serving_dir(self) -> Path:
        """Published sets and the pointer to the current one."""
        return self.home / "serving"

    @property
    def inbox_dir(self) -> Path:
        """Rows that dlt has loaded and raw does not have yet."""
        return self.home / "inbox"

    @property
    def inbox(self) -> str | None:
        """Where dlt's filesystem destination writes: where the engine that promotes can read. None
        where dlt writes into tables of the warehouse itself."""
        return {"duckdb": str(self.inbox_dir), "spark": f"{self.lake}/inbox"}.get(self.target)

    @property
    def dlt_dir(self) -> Path:
        """dlt's pipelines: their state and packages under way."""
        return self.home / "dlt"

    @property
    def dagster_dir(self) -> Path:
        """Dagster's instance: runs, event log, schedules."""
        return self.home / "dagster"

    @property
    def dbt_dir(self) -> Path:
        """What dbt writes: compiled models, manifest, logs; and an assembled project."""
        return self.home / "dbt"


class _DeploymentFile(PydanticBaseSettingsSource):
    """`deployment.yml` of the configuration folder as a source of settings."""

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        *above: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._above = above

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        folder = PROJECT_ROOT / "config"
        for source in reversed(self._above):
            folder = Path(source().get("config", folder))
        path = folder / "deployment.yml"
        if not path.exists():
            return {}
        text = load_yaml(path)
        known = set(self.settings_cls.model_fields) - {"home", "config"}
        for key in text.data:
            if key not in known:
                raise ConfigError(path, text.line_of(key), f"no setting is called '{key}'", known)
        return dict(text.data)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process; `overrides` win over everything else.

    Raises:
        ConfigError: `deployment.yml` cannot be read or names something that is no setting.
        pydantic.ValidationError: a value is not of the form that the setting needs.
    """
    return Settings(**overrides)


def secret(name: str) -> str:
    """The secret that the configuration refers to as `{env: NAME}`.

    Raises:
        MissingSecret: the environment does not hold it.
    """
    try:
        return os.environ[name]
    except KeyError:
        raise MissingSecret(
            f"the environment variable {name}, which the configuration refers to, is not set; "
            f"set it before the run"
        ) from None


def s3_endpoint() -> str | None:
    """Where S3 is asked, by the variables that Amazon's clients read; None for Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def java_program() -> str:
    """The Java that Spark starts, by its own rule: that of `JAVA_HOME`, else of the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"
