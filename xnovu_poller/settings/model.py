"""Every setting; only this file holds the name, default and bounds of a variable."""

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LONGEST_CLAIM_LEASE = timedelta(seconds=30)
"""The longest lease of a claim before work on it has started."""

_DAY_MS = 86_400_000
_MOST_IN_FLIGHT = 50_000
_MILLISECOND = timedelta(milliseconds=1)


def _milliseconds(least: int, most: int) -> BeforeValidator:
    """Return a validator that reads a whole number of milliseconds within bounds as a timedelta."""

    def read(value: object) -> timedelta:
        text = str(value // _MILLISECOND) if isinstance(value, timedelta) else str(value).strip()
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number of milliseconds from {least} to {most}")
        return int(text) * _MILLISECOND

    return BeforeValidator(read)


def _database_url(value: SecretStr) -> SecretStr:
    rule = "must have the form postgresql://user:password@host:port/database"
    try:
        parts = urlsplit(value.get_secret_value())
        _ = parts.port
    except ValueError:
        # The cause quotes a part of the value.
        raise ValueError(rule) from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(rule)
    # Drivers would split such a URL at another @, and quote the rest of the password as a host or port.
    if parts.netloc.count("@") > 1:
        raise ValueError("has more than one @; write an @ in the user or the password as %40")
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value().strip()
    # A key that cannot be an HTTP header would be quoted in the error of the call that sends it.
    if not key.isascii() or not key.isprintable() or not key or " " in key:
        raise ValueError("must be printable ASCII without spaces")
    return SecretStr(key)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must have the form http://host or https://host")
    return value.rstrip("/")


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise ValueError("must have the form host:port")
    return value


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if not names:
        raise ValueError("names no enterprise; unset it to serve all")
    return names


def _level(value: object) -> object:
    return {"warn": "warning"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


Wait = Annotated[timedelta, _milliseconds(10, _DAY_MS)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class DatabaseSettings(BaseSettings):
    """The settings of the database, which is all that migrations need."""

    model_config = SettingsConfigDict(
        alias_generator=str.upper,
        validate_by_name=True,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        description="PostgreSQL 14 or newer, `postgresql://…`",
    )

    @property
    def sqlalchemy_url(self) -> str:
        """The same address with SQLAlchemy's name of the driver psycopg 3."""
        _, _, rest = self.database_url.get_secret_value().partition("://")
        return f"postgresql+psycopg://{rest}"


class TemporalSettings(DatabaseSettings):
    """The settings of the database and Temporal, for commands that need no key of Novu."""

    temporal_address: Annotated[str, AfterValidator(_host_and_port)] = Field(
        default="localhost:7233", description="host:port of Temporal's frontend"
    )
    temporal_namespace: str = Field(default="default", description="Temporal's namespace")
    temporal_task_queue: str = Field(
        default="xnovu-notification-processing",
        min_length=1,
        max_length=1000,
        description="the task queue of the workers",
    )
    temporal_tls: bool = Field(
        default=False, description="TLS to Temporal; each of the next four turns it on"
    )
    temporal_client_cert_path: FilePath | None = Field(
        default=None, description="client certificate for mTLS, PEM; needs the key"
    )
    temporal_client_key_path: FilePath | None = Field(
        default=None, validate_default=True, description="client key for mTLS, PEM; needs the certificate"
    )
    temporal_server_ca_path: FilePath | None = Field(
        default=None, description="authority that signed Temporal's certificate, PEM"
    )
    temporal_api_key: Annotated[SecretStr, AfterValidator(_key)] | None = Field(
        default=None, description="API key of Temporal Cloud"
    )

    @field_validator("temporal_client_key_path")
    @classmethod
    def _check_certificate(cls, key: FilePath | None, info: ValidationInfo) -> FilePath | None:
        # A faulty certificate path is not among the known values, and has a fault of its own.
        known = info.data
        if "temporal_client_cert_path" in known and (key is None) != (
            known["temporal_client_cert_path"] is None
        ):
            raise ValueError("must be set if and only if TEMPORAL_CLIENT_CERT_PATH is set")
        return key

    @property
    def temporal_secure(self) -> bool:
        """Whether to use TLS: TEMPORAL_TLS is on, or a certificate, CA or API key is set."""
        implied = (self.temporal_client_cert_path, self.temporal_server_ca_path, self.temporal_api_key)
        return self.temporal_tls or any(part is not None for part in implied)


class Settings(TemporalSettings):
    """All settings. Parts of the program get single values, not this object."""

    temporal_max_concurrent_activities: Count = Field(
        default=100, description="activities at once in one executor process"
    )
    # With less than two slots, Temporal's SDK cannot cache workflows.
    temporal_max_concurrent_workflows: Annotated[int, Field(ge=2, le=10_000)] = Field(
        default=50, description="workflow tasks at once in one executor process"
    )
    temporal_max_cached_workflows: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=1000, description="workflows kept in memory by one executor process"
    )

    novu_api_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="https://api.novu.co", description="Novu's address, without `/v1`"
    )
    novu_secret_key: Annotated[SecretStr, AfterValidator(_key)] = Field(description="Novu's secret key")
    novu_timeout: Annotated[timedelta, _milliseconds(100, 300_000)] = Field(
        default=timedelta(seconds=10),
        validation_alias="NOVU_TIMEOUT_MS",
        description="time limit of one HTTP call to Novu",
    )

    poll_interval: Wait = Field(
        default=timedelta(seconds=10),
        validation_alias="POLL_INTERVAL_MS",
        description="pause of the new loop",
    )
    scheduled_poll_interval: Wait = Field(
        default=timedelta(seconds=30),
        validation_alias="SCHEDULED_POLL_INTERVAL_MS",
        description="pause of the scheduled loop",
    )
    failed_poll_interval: Wait = Field(
        default=timedelta(seconds=60),
        validation_alias="FAILED_POLL_INTERVAL_MS",
        description="pause of the failed loop, which also rescues",
    )
    rule_poll_interval: Wait = Field(
        default=timedelta(seconds=30),
        validation_alias="RULE_POLL_INTERVAL_MS",
        description="time between two comparisons of rules with Temporal's schedules",
    )
    poll_batch_size: Annotated[int, Field(ge=1, le=5000)] = Field(
        default=100, description="rows of one claim"
    )
    handoff_group_size: Annotated[int, Field(ge=1, le=500)] = Field(
        default=1, description="notifications of one run, 1 to 500; a claim takes max(batch, group) rows"
    )
    max_in_flight: Count = Field(
        default_factory=lambda known: min(_MOST_IN_FLIGHT, 1000 * known["handoff_group_size"]),
        description="rows PROCESSING in the whole deployment, where claims stop;"
        " unset: 1000 for each place in a group, at most 50000",
    )
    worker_processes: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="executor processes of one `worker start`"
    )
    poll_wakeup: bool = Field(default=True, description="LISTEN/NOTIFY wake-ups; polling goes on beside them")
    lease: Annotated[timedelta, _milliseconds(1, _DAY_MS)] = Field(
        default=timedelta(minutes=5),
        validate_default=True,
        validation_alias="LEASE_MS",
        description="how long a claimed row is leased once work on it has begun; at least twice `NOVU_TIMEOUT_MS`",
    )
    max_failures: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="counted failures before DEAD"
    )
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=90, description="days that SENT, DEAD and RETRACTED rows are kept; 0: for ever"
    )
    worker_enterprise_ids: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_names)] = Field(
        default=None,
        validation_alias=AliasChoices("WORKER_ENTERPRISE_IDS", "DAEMON_ENTERPRISE_IDS"),
        description="enterprises to serve, comma-separated; unset: all; `DAEMON_ENTERPRISE_IDS` is an alias",
    )
    worker_health_host: str = Field(default="0.0.0.0", description="address on which `/health` listens")  # noqa: S104 - probes come from outside the container
    worker_health_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=3001, description="port of `/health`; 0: any free port"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)] = Field(
        default="info", description="`debug`, `info`, `warning` or `error`"
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_level)] = Field(
        default="json", description="`json`, or `console` for people"
    )
    sentry_dsn: SecretStr | None = Field(
        default=None, description="also report errors there; needs `sentry-sdk`"
    )

    @field_validator("lease")
    @classmethod
    def _check_lease(cls, lease: timedelta, info: ValidationInfo) -> timedelta:
        if "novu_timeout" in info.data and lease < 2 * info.data["novu_timeout"]:
            raise ValueError("must be at least twice NOVU_TIMEOUT_MS")
        return lease

    @property
    def claim_size(self) -> int:
        """The rows of one claim: at least as many as fit in a group."""
        return max(self.poll_batch_size, self.handoff_group_size)

    @property
    def claim_lease(self) -> timedelta:
        """The lease of a claim before work on it has started."""
        return min(LONGEST_CLAIM_LEASE, self.lease)
