"""The settings as docs/settings.md prints them."""

from datetime import timedelta
from typing import NamedTuple

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from xnovu_poller.settings.model import Settings

_MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """One line of the table of settings, as docs/settings.md prints it."""

    variable: str
    default: str
    meaning: str


def table() -> tuple[Row, ...]:
    """Return every setting in order of declaration, with its default; no value of this environment."""
    return tuple(
        Row(_variable(name, field), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return str(first or name.upper())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default is None:
        return "unset"
    match field.default:
        case bool() as on:
            return "on" if on else "off"
        case timedelta() as span:
            return str(span // _MILLISECOND)
        case value:
            return str(value)
