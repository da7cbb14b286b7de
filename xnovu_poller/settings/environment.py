"""Read the environment; no other file does."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from xnovu_poller.errors import ConfigError
from xnovu_poller.settings.handbook import table
from xnovu_poller.settings.model import DatabaseSettings, Settings, TemporalSettings

_ENVIRONMENT = os.environ  # noqa: TID251 - only this file may read it
_Kind = TypeVar("_Kind", bound=BaseSettings)

_SENTENCES = {
    "missing": "is not set",
    "bool_parsing": "must be on or off",
    "int_parsing": "must be a whole number",
    "path_not_file": "must be the path of an existing file",
}
"""Our sentences for some of pydantic's kinds of error; its own sentences speak of parsing."""


def load() -> Settings:
    """Read all settings.

    Raises:
        ConfigError: all faults at once, each with the name and the rule of its variable, never a value.
    """
    return _read(Settings)


def load_temporal() -> TemporalSettings:
    """Read the settings of the database and Temporal, for commands that send nothing to Novu.

    Raises:
        ConfigError: as `load`.
    """
    return _read(TemporalSettings)


def load_database() -> DatabaseSettings:
    """Read only DATABASE_URL, for migrations and for commands on rows.

    Raises:
        ConfigError: it is not set or malformed.
    """
    return _read(DatabaseSettings)


def _read(kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate({})
    except ValidationError as error:
        # The cause holds the refused values.
        raise ConfigError([*_faults(error)]) from None


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        # A default that depends on a faulty setting; that setting has a fault of its own.
        if fault["type"] == "default_factory_not_called":
            continue
        rule = _SENTENCES.get(fault["type"], fault["msg"])
        rule = rule.removeprefix("Value error, ").replace("Input should", "must")
        yield f"{str(fault['loc'][0]).upper()}: {rule}"


def misspelt() -> tuple[str, ...]:
    """Return a hint for each variable of this environment that looks like a misspelt setting."""
    ours = {row.variable for row in table()} | {"DAEMON_ENTERPRISE_IDS"}
    near = ((name, get_close_matches(name, ours, n=1, cutoff=0.85)) for name in sorted(_ENVIRONMENT))
    return tuple(
        f"{name}: is not a setting; did you mean {match[0]}?"
        for name, match in near
        if match and name not in ours
    )


def child_environment(**changed: str) -> dict[str, str]:
    """Return this process's environment with changes, for a child process."""
    return {**_ENVIRONMENT, **changed}
