"""The settings that commands need beside the worker: the environment, the database, Temporal, Novu, languages, the port."""

from datetime import timedelta
from typing import Annotated, Literal

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
from pydantic_settings import BaseSettings, SettingsConfigDict

from xnovu_poller.settings.address import read_address
from xnovu_poller.settings.certificates import check_authority, check_certificate, check_key
from xnovu_poller.settings.languages import check_locale, check_time_zone
from xnovu_poller.settings.network import check_host, check_host_and_port, check_http_url
from xnovu_poller.settings.values import read_level, read_milliseconds

_NEED_TLS = (
    "temporal_tls_server_name",
    "temporal_client_cert_path",
    "temporal_server_ca_path",
    "temporal_api_key",
)


def _database_url(value: SecretStr) -> SecretStr:
    read_address(value.get_secret_value())
    return value


def check_header(value: SecretStr) -> SecretStr:
    """Return a key that can be the value of an HTTP header.

    Raises:
        ValueError: it cannot.
    """
    key = value.get_secret_value()
    # A key that cannot be an HTTP header would be quoted in the error of the call that sends it.
    if not key.isascii() or " " in key:
        raise ValueError("must be printable ASCII without spaces")
    return value


_SHORTEST_TOKEN = 16


def check_token(value: SecretStr) -> SecretStr:
    """Return a token that nobody guesses and that can be the value of an HTTP header.

    Raises:
        ValueError: it is not.
    """
    if len(value.get_secret_value()) < _SHORTEST_TOKEN:
        raise ValueError(f"must have at least {_SHORTEST_TOKEN} characters, so that nobody guesses it")
    return check_header(value)


def _namespace(value: str) -> str:
    if " " in value:
        raise ValueError("must not contain a space")
    return value


def _task_queue(value: str) -> str:
    # Temporal refuses such a queue at each poll.
    if value.startswith("/_sys/"):
        raise ValueError("must not begin with /_sys/, which Temporal keeps for itself")
    return value


class Environment(BaseSettings):
    """How all settings are read."""

    model_config = SettingsConfigDict(
        alias_generator=str.upper,
        validate_by_name=True,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object, info: ValidationInfo) -> object:
        """Remove blanks at both ends, such as the line break that a Kubernetes secret ends with; then treat blank as unset."""
        if not isinstance(value, str):
            return value
        value = value.strip()
        if not value.isprintable():
            raise ValueError("must not contain a line break, a tab or another control character")
        if value:
            return value
        field = cls.model_fields[str(info.field_name)]
        if field.is_required():
            raise ValueError("is not set")
        return field.get_default(call_default_factory=True, validated_data=info.data)


class DatabaseSettings(Environment):
    """The settings of the database, which is all that migrations need."""

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        description="PostgreSQL 14 or newer, `postgresql://…`",
    )

    @property
    def sqlalchemy_url(self) -> str:
        """The same address with SQLAlchemy's name of the driver psycopg 3."""
        _, _, rest = self.database_url.get_secret_value().partition("://")
        return f"postgresql+psycopg://{rest}"


class TemporalAddressSettings(Environment):
    """The settings of Temporal, for commands that need nothing else."""

    temporal_config_file: FilePath | None = Field(
        default=None,
        description="a file with Temporal's own profiles, TOML; each variable that is set counts more than the profile",
    )
    temporal_profile: str | None = Field(
        default=None,
        description="the profile to read, from that file or, without it, from the file of Temporal's own tools; unset:"
        " `default` of TEMPORAL_CONFIG_FILE, if that is set",
    )

    temporal_address: Annotated[str, AfterValidator(check_host_and_port)] = Field(
        default="localhost:7233", description="host:port of Temporal's frontend"
    )
    temporal_namespace: Annotated[str, Field(max_length=1000), AfterValidator(_namespace)] = Field(
        default="default", description="Temporal's namespace"
    )
    temporal_task_queue: Annotated[str, AfterValidator(_task_queue)] = Field(
        default="xnovu-notification-processing",
        max_length=1000,
        description="the task queue of the workers",
    )
    temporal_tls: bool | None = Field(
        default=None, description="TLS to Temporal: on or off; unset: on if any of the next five is set"
    )
    temporal_tls_server_name: Annotated[str, AfterValidator(check_host)] | None = Field(
        default=None,
        description="the name in Temporal's certificate, if it is not the host of TEMPORAL_ADDRESS",
    )
    temporal_client_cert_path: Annotated[FilePath, AfterValidator(check_certificate)] | None = Field(
        default=None,
        validation_alias=AliasChoices("TEMPORAL_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH"),
        description="client certificate for mTLS, PEM; needs the key",
    )
    temporal_client_key_path: FilePath | None = Field(
        default=None,
        validation_alias=AliasChoices("TEMPORAL_CLIENT_KEY_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"),
        validate_default=True,
        description="client key for mTLS, PEM; needs the certificate",
    )
    temporal_server_ca_path: Annotated[FilePath, AfterValidator(check_authority)] | None = Field(
        default=None, description="authority that signed Temporal's certificate, PEM"
    )
    temporal_api_key: Annotated[SecretStr, AfterValidator(check_header)] | None = Field(
        default=None, description="API key of Temporal Cloud"
    )

    temporal_ui_url: Annotated[str, AfterValidator(check_http_url)] | None = Field(
        default=None,
        description="Temporal's web interface, to which `xnovu notification show` links; unset: that of Temporal Cloud, or"
        " of a server on `localhost:7233`",
    )

    @field_validator("temporal_client_key_path")
    @classmethod
    def _check_key(cls, key: FilePath | None, info: ValidationInfo) -> FilePath | None:
        # A faulty certificate is not among the known values, and has a fault of its own.
        if "temporal_client_cert_path" not in info.data:
            return key
        certificate = info.data["temporal_client_cert_path"]
        if (key is None) != (certificate is None):
            raise ValueError("must be set if and only if TEMPORAL_CLIENT_CERT_PATH is set")
        return key if key is None else check_key(certificate, key)

    @field_validator(*_NEED_TLS)
    @classmethod
    def _check_tls(cls, part: object, info: ValidationInfo) -> object:
        if part is not None and info.data.get("temporal_tls") is False:
            raise ValueError("needs TLS; set TEMPORAL_TLS=on, or unset it")
        return part

    @property
    def temporal_secure(self) -> bool:
        """Whether to use TLS: TEMPORAL_TLS is on, or it is unset and a part that needs it is set."""
        if self.temporal_tls is not None:
            return self.temporal_tls
        return any(getattr(self, name) is not None for name in _NEED_TLS)


class TemporalSettings(TemporalAddressSettings, DatabaseSettings):
    """The settings of the database and Temporal, for commands that need no key of Novu."""


class NovuSettings(Environment):
    """The settings of Novu, for commands that ask it."""

    novu_api_url: Annotated[str, AfterValidator(check_http_url)] = Field(
        default="https://api.novu.co", description="Novu's address, without `/v1`"
    )
    novu_secret_key: Annotated[SecretStr, AfterValidator(check_header)] = Field(
        description="Novu's secret key"
    )
    novu_timeout: Annotated[timedelta, read_milliseconds(100, 300_000)] = Field(
        default=timedelta(seconds=10),
        validation_alias="NOVU_TIMEOUT_MS",
        description="time limit of one HTTP call to Novu",
    )


class LanguageSettings(Environment):
    """The language and the zone of texts whose row and enterprise have none."""

    default_locale: Annotated[str, AfterValidator(check_locale)] = Field(
        default="en", description="language of texts, such as `de_CH`, unless row or enterprise has one"
    )
    default_time_zone: Annotated[str, AfterValidator(check_time_zone)] = Field(
        default="UTC", description="zone of the times in texts, such as `Europe/Zurich`, likewise"
    )


class HealthSettings(Environment):
    """The address of a worker's HTTP server, for commands that ask it."""

    worker_health_host: Annotated[str, AfterValidator(check_host)] = Field(
        default="127.0.0.1", description="address on which `/health` listens; the image sets `0.0.0.0`"
    )
    worker_health_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=3001,
        validation_alias=AliasChoices("WORKER_HEALTH_PORT", "DAEMON_HEALTH_PORT"),
        description="port of `/health`; 0: any free port",
    )
    worker_http_token: Annotated[SecretStr, AfterValidator(check_token)] | None = Field(
        default=None,
        description="what `/status` and `/metrics` then ask for (`Authorization: Bearer …`); needed to see enterprises there",
    )


class LogSettings(Environment):
    """How a process logs."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(read_level)] = Field(
        default="info",
        validation_alias=AliasChoices("LOG_LEVEL", "DAEMON_LOG_LEVEL", "WORKER_LOG_LEVEL"),
        description="`debug`, `info`, `warning` or `error`",
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(read_level)] = Field(
        default="auto",
        description="`json` for machines, `console` for people; `auto`: console where stderr is a terminal",
    )
    sentry_dsn: SecretStr | None = Field(
        default=None, description="also report errors there; needs `sentry-sdk`"
    )
