"""The settings of the API, and what its process needs besides."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import NoDecode

from xnovu_poller.settings.network import check_host, check_http_url
from xnovu_poller.settings.parts import Environment, check_token
from xnovu_poller.settings.values import read_milliseconds, read_names

Network = IPv4Network | IPv6Network


def _read_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if origin != "*" and check_http_url(origin).rstrip("/").count("/") > 2:  # noqa: PLR2004 - those of https://
            raise ValueError("must be origins such as https://app.example.org, without a path, or *")
    return tuple(origin.rstrip("/") for origin in value)


def _check_proxies(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for network in value:
            ip_network(network)
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8") from None
    return value


class ApiSettings(Environment):
    """The settings of `xnovu api start`."""

    api_host: Annotated[str, AfterValidator(check_host)] = Field(
        default="127.0.0.1", description="address on which the API listens; the image sets `0.0.0.0`"
    )
    api_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=4000, description="port of the API; 0: any free port"
    )
    api_processes: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="processes of one `api start`"
    )
    api_cors_origins: Annotated[
        tuple[str, ...] | None,
        NoDecode,
        AfterValidator(lambda value: value and _read_origins(value)),
        read_names("origin"),
    ] = Field(
        default=None,
        description="origins whose pages may call the API, comma-separated, such as `https://app.example.org`; unset: none",
    )
    api_trusted_proxies: Annotated[
        tuple[str, ...] | None,
        NoDecode,
        AfterValidator(lambda value: value and _check_proxies(value)),
        read_names("proxy"),
    ] = Field(
        default=None,
        description="addresses or networks whose `X-Forwarded-For` the API believes, comma-separated; unset: none",
    )
    api_key_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100,
        description="requests a second that a key may make to the API, averaged over five seconds",
    )
    api_address_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=200, description="the same for an address"
    )
    api_max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        default=5_000_000, description="the largest request that the API reads"
    )
    api_timeout: Annotated[timedelta, read_milliseconds(1000, 300_000)] = Field(
        default=timedelta(seconds=15),
        validation_alias="API_TIMEOUT_MS",
        description="time limit of one request to the API, from its head to its answer",
    )
    api_http_token: Annotated[SecretStr, AfterValidator(check_token)] | None = Field(
        default=None,
        description="what `/metrics` and `/api/metrics` of the API then ask for (`Authorization: Bearer …`)",
    )

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """The networks of API_TRUSTED_PROXIES."""
        return tuple(map(ip_network, self.api_trusted_proxies or ()))
