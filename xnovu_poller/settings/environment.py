"""The environment, read once; nobody else reads it."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from xnovu_poller.errors import ConfigError
from xnovu_poller.settings.handbook import table
from xnovu_poller.settings.model import DatabaseSettings, Settings, TemporalSettings

_ENVIRONMENT = os.environ  # noqa: TID251 - this is the place that may read it
_Kind = TypeVar("_Kind", bound=BaseSettings)


def load() -> Settings:
    """Read all settings.

    Raises:
        ConfigError: every fault at once, each with its variable's name and rule, never a value.
    """
    return _read(Settings)


def load_temporal() -> TemporalSettings:
    """Read where the database and Temporal are, for commands that send nothing to Novu.

    Raises:
        ConfigError: as `load`.
    """
    return _read(TemporalSettings)


def load_database() -> DatabaseSettings:
    """Read DATABASE_URL alone, for migrations and for commands on rows.

    Raises:
        ConfigError: it is not set, or has another form.
    """
    return _read(DatabaseSettings)


def _read(kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate({})
    except ValidationError as error:
        # The cause carries the values that were refused.
        raise ConfigError([*_faults(error)]) from None


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        # A default that rests on a faulty setting: that one is told.
        if fault["type"] == "default_factory_not_called":
            continue
        rule = "is not set" if fault["type"] == "missing" else fault["msg"]
        rule = rule.removeprefix("Value error, ").replace("Input should", "must")
        yield f"{str(fault['loc'][0]).upper()}: {rule}"


def misspelt() -> tuple[str, ...]:
    """Name the variables of this environment that look like a misspelt setting of ours."""
    ours = {row.variable for row in table()} | {"DAEMON_ENTERPRISE_IDS"}
    near = ((name, get_close_matches(name, ours, n=1, cutoff=0.85)) for name in sorted(_ENVIRONMENT))
    return tuple(
        f"{name}: not a setting; {match[0]} is" for name, match in near if match and name not in ours
    )


def child_environment(**changed: str) -> dict[str, str]:
    """Give this process's environment, with changes, to a process that it starts."""
    return {**_ENVIRONMENT, **changed}
