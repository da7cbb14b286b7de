"""Read the environment; no other file does."""

import os
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from xnovu_poller.errors import ConfigError
from xnovu_poller.settings.handbook import Row, table
from xnovu_poller.settings.model import Settings
from xnovu_poller.settings.operator import ApiProcessSettings
from xnovu_poller.settings.parts import (
    DatabaseSettings,
    HealthSettings,
    LanguageSettings,
    NovuSettings,
    TemporalAddressSettings,
    TemporalSettings,
)
from xnovu_poller.settings.replaced import find_replaced

_ENVIRONMENT = os.environ  # noqa: TID251 - only this file may read it
_Kind = TypeVar("_Kind", bound=BaseSettings)

_SENTENCES = {
    "missing": "is not set",
    "bool_parsing": "must be on or off",
    "int_parsing": "must be a whole number",
    "path_not_file": "must be the path of an existing file",
    "path_not_directory": "must be the path of an existing folder",
}
"""Our sentences for some of pydantic's kinds of error; its own sentences speak of parsing."""

_FORMS = {
    "DATABASE_URL": "postgresql://user:password@host:5432/database, or copy the line that `xnovu dev` prints"
}
"""What a variable looks like that has no default."""


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


def load_temporal_address() -> TemporalAddressSettings:
    """Read the settings of Temporal only, for commands that need nothing else.

    Raises:
        ConfigError: as `load`.
    """
    return _read(TemporalAddressSettings)


def load_database() -> DatabaseSettings:
    """Read only DATABASE_URL, for migrations and for commands on rows.

    Raises:
        ConfigError: it is not set or malformed.
    """
    return _read(DatabaseSettings)


def load_novu() -> NovuSettings:
    """Read only the settings of Novu, for commands that ask it.

    Raises:
        ConfigError: as `load`.
    """
    return _read(NovuSettings)


def load_language() -> LanguageSettings:
    """Read only DEFAULT_LOCALE and DEFAULT_TIME_ZONE, for commands that show texts.

    Raises:
        ConfigError: one of them is malformed.
    """
    return _read(LanguageSettings)


def load_health() -> HealthSettings:
    """Read only WORKER_HEALTH_HOST, WORKER_HEALTH_PORT and WORKER_HTTP_TOKEN, for commands that ask a worker.

    Raises:
        ConfigError: one of them is malformed.
    """
    return _read(HealthSettings)


def load_api() -> ApiProcessSettings:
    """Read the settings of a process of the API.

    Raises:
        ConfigError: as `load`.
    """
    return _read(ApiProcessSettings)


def override(**variables: str) -> None:
    """Set variables for this process and its children, as the options of a command do."""
    _ENVIRONMENT.update(variables)


def _read(kind: type[_Kind]) -> _Kind:
    texts, faults = _read_files(row for row in table(kind) if row.secret and _is_set(row.file_variable))
    if issubclass(kind, TemporalAddressSettings):
        profile, refused = _read_profile()
        texts, faults = profile | texts, refused | faults
    try:
        found = kind.model_validate(texts)
    except ValidationError as error:
        # The cause holds the refused values.
        raise _wrong({**dict(_faults(error)), **faults}) from None
    if faults:
        raise _wrong(faults)
    return found


def _read_files(rows: Iterable[Row]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the secrets that stand in files, by field, and the rules that are broken, by variable."""
    texts, faults = {}, {}
    for row in rows:
        if _is_set(row.variable):
            faults[row.variable] = f"must not be set beside {row.file_variable}"
            continue
        try:
            texts[row.field] = Path(_ENVIRONMENT[row.file_variable].strip()).read_text(encoding="utf-8")
        except OSError as error:
            faults[row.variable] = f"cannot be read ({error.strerror})"
        except ValueError:
            faults[row.variable] = "must be the path of a text file in UTF-8"
    return texts, faults


_FILE, _PROFILE = "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"


def _profile_variable() -> str | None:
    """Return the variable that chooses a profile of Temporal's own tools, if it is set."""
    return next(filter(_is_set, (_PROFILE, _FILE)), None)


def _read_profile() -> tuple[dict[str, str], dict[str, str]]:
    """Return what a profile of Temporal has for variables that are not set, by field, and the rules that are broken.

    Without either of the two variables we read no file: a worker must not depend on what lies in a home folder.
    """
    variable = _profile_variable()
    # A file that does not exist is a fault of its own.
    if variable is None or (_is_set(_FILE) and not Path(_ENVIRONMENT[_FILE].strip()).is_file()):
        return {}, {}
    from xnovu_poller.settings.profile import read_profile  # noqa: PLC0415 - Temporal's SDK takes long to load

    name, file = _ENVIRONMENT.get(_PROFILE, "").strip(), _ENVIRONMENT.get(_FILE, "").strip()
    try:
        found = read_profile(name or None, Path(file) if file else None)
    except ValueError as error:
        return {}, {variable: str(error)}
    unset = {row.field for row in table() if not any(map(_is_set, _names(row)))}
    return {field: value for field, value in found.items() if field in unset}, {}


def _wrong(faults: dict[str, str]) -> ConfigError:
    """Return the error of all faults, each with the variable in which a person can correct it."""
    named = {row.variable: next(filter(_is_set, _names(row)), row.variable) for row in table()}
    sentences = (f"{named[variable]}: {rule}" for variable, rule in faults.items())
    # An earlier name may stand for two settings.
    return ConfigError([*dict.fromkeys(sentences), *hints()])


def _is_set(variable: str) -> bool:
    return bool(_ENVIRONMENT.get(variable, "").strip())


def _faults(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the variable and the rule of each fault."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        # A default that depends on a faulty setting; that setting has a fault of its own.
        if fault["type"] == "default_factory_not_called":
            continue
        variable = str(fault["loc"][0]).upper()
        rule = _SENTENCES.get(fault["type"], fault["msg"])
        if fault["type"] == "missing" and variable in _FORMS:
            rule += f"; write {_FORMS[variable]}"
        yield variable, rule.removeprefix("Value error, ").replace("Input should", "must")


def hints() -> tuple[str, ...]:
    """Return a sentence about each variable that looks like a misspelt setting, or that the earlier system had."""
    ours = {name for row in table() for name in _names(row)}
    near = ((name, _find_nearest(name, ours)) for name in sorted(_ENVIRONMENT.keys() - ours))
    misspelt = (
        f"{name}: is not a setting; did you mean {nearest}?"
        for name, nearest in near
        # Other programs have such variables of their own, like NIX_SSL_CERT_FILE.
        if nearest is not None and not name.endswith(f"_{nearest}")
    )
    return (*misspelt, *find_replaced(_ENVIRONMENT))


def _find_nearest(name: str, ours: Collection[str]) -> str | None:
    # HEALTH_PORT is far from WORKER_HEALTH_PORT by letters.
    if f"WORKER_{name}" in ours:
        return f"WORKER_{name}"
    return next(iter(get_close_matches(name, ours, n=1, cutoff=0.85)), None)


def find_sources() -> dict[str, str]:
    """Return for each variable where its value comes from: `default`, or the name of the variable that is set.

    A value of a profile comes from the variable that chooses the profile.
    """
    profile = dict.fromkeys(_read_profile()[0], _profile_variable())
    return {
        row.variable: next(filter(_is_set, _names(row)), profile.get(row.field) or "default")
        for row in table()
    }


def _names(row: Row) -> tuple[str, ...]:
    return (row.variable, *row.aliases, *([row.file_variable] if row.secret else []))


def child_environment(**changed: str) -> dict[str, str]:
    """Return this process's environment with changes, for a child process; a changed secret does not come from a file."""
    files = {f"{name}_FILE" for name in changed}
    return {name: value for name, value in _ENVIRONMENT.items() if name not in files} | changed
