"""Read the values of variables: durations, sizes, lists and words."""

from datetime import timedelta

from pydantic import BeforeValidator

_MILLISECOND = timedelta(milliseconds=1)
_MOST_IN_GROUP = 2000


def read_milliseconds(least: int, most: int) -> BeforeValidator:
    """Return a validator that reads a whole number of milliseconds within bounds as a timedelta."""

    def read(value: object) -> timedelta:
        text = str(value // _MILLISECOND) if isinstance(value, timedelta) else str(value).strip()
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number of milliseconds from {least} to {most}")
        return int(text) * _MILLISECOND

    return BeforeValidator(read)


def read_group_size(value: object) -> int | str:
    """Read the size of a group: `auto`, or a number within bounds."""
    text = str(value).strip()
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_IN_GROUP:
        raise ValueError(f"must be auto, or a whole number from 1 to {_MOST_IN_GROUP}")
    return int(text)


def read_names(kind: str) -> BeforeValidator:
    """Return a validator that reads a list of names, separated by commas; each counts once."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        if not names:
            raise ValueError(f"names no {kind}; unset it for all")
        return names

    return BeforeValidator(read)


def read_level(value: object) -> object:
    """Read a word in any case; `warn` is `warning`."""
    return {"warn": "warning"}.get(value.lower(), value.lower()) if isinstance(value, str) else value
