"""The settings of the operator's page, which the process of the API serves."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from xnovu_poller.settings.address import read_address
from xnovu_poller.settings.api import ApiSettings
from xnovu_poller.settings.parts import LanguageSettings, LogSettings, TemporalSettings
from xnovu_poller.settings.values import read_level

_SHORTEST_PASSWORD = 12
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _check_password(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_PASSWORD:
        raise ValueError(f"must have at least {_SHORTEST_PASSWORD} characters, so that nobody guesses it")
    return value


def _check_header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("must be the name of a header, such as X-Forwarded-User")
    return value


def _check_address(value: SecretStr) -> SecretStr:
    read_address(value.get_secret_value())
    return value


class OperatorSettings(ApiSettings):
    """The settings of the page, beside those of the process that serves it."""

    operator_password: Annotated[SecretStr, AfterValidator(_check_password)] | None = Field(
        default=None, description="opens the operator's page to everybody who knows it; unset: nobody logs in"
    )
    operator_trusted_header: Annotated[str, AfterValidator(_check_header)] | None = Field(
        default=None,
        description="the header in which a proxy that logs people in names the person, such as `X-Forwarded-User`; needs"
        " `API_TRUSTED_PROXIES`; unset: no header is believed",
    )
    operator_role: Annotated[Literal["reader", "operator"], BeforeValidator(read_level)] = Field(
        default="reader", description="what people may do on the page: `reader` looks, `operator` acts too"
    )
    operator_database_url: Annotated[SecretStr, AfterValidator(_check_address)] | None = Field(
        default=None,
        description="the page's own login, a member of `xnovu_reader`, and of `xnovu_worker` to act; unset: that of"
        " `DATABASE_URL`",
    )

    @field_validator("operator_trusted_header")
    @classmethod
    def _check_proxies(cls, header: str | None, info: ValidationInfo) -> str | None:
        # Faulty proxies are not among the known values, and have a fault of their own.
        if header is not None and info.data.get("api_trusted_proxies", "faulty") is None:
            raise ValueError("needs API_TRUSTED_PROXIES; without it, anybody could name themselves")
        return header

    @property
    def has_page(self) -> bool:
        """Whether anybody may look at the page."""
        return self.operator_password is not None or self.operator_trusted_header is not None


class ApiProcessSettings(LogSettings, OperatorSettings, LanguageSettings, TemporalSettings):
    """All that a process of the API needs; Novu's key is read apart, because it works without."""
