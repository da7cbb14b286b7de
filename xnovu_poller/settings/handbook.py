"""The settings as docs/settings.md, `.env.example` and `xnovu config` print them."""

from datetime import timedelta
from typing import NamedTuple, get_args, get_type_hints

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from xnovu_poller.settings.model import Settings

_MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """One line of the table of settings, as docs/settings.md prints it.

    Attributes:
        field: the name of the setting in the program.
        aliases: other names of the variable, which count only if it is unset.
        secret: a variable with `_FILE` at its end may name a file that contains it.
    """

    field: str
    variable: str
    default: str
    meaning: str
    aliases: tuple[str, ...]
    secret: bool

    @property
    def file_variable(self) -> str:
        """The variable that names a file with the value."""
        return f"{self.variable}_FILE"


def table(kind: type[BaseSettings] = Settings) -> tuple[Row, ...]:
    """Return every setting in order of declaration, with its default; no value of this environment."""
    types = get_type_hints(kind)
    return tuple(_row(name, field, types[name]) for name, field in kind.model_fields.items())


def show(value: object) -> str:
    """Return a value as you would write it in the environment."""
    match value:
        case None:
            return "unset"
        case bool() as on:
            return "on" if on else "off"
        case timedelta() as span:
            return str(span // _MILLISECOND)
        case tuple() as names:
            return ",".join(names)
        case _:
            return str(value)


def _row(name: str, field: FieldInfo, kind: object) -> Row:
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias or name.upper()]
    variable, *aliases = map(str, names)
    meaning = field.description or ""
    if aliases:
        meaning += f"; also read from {' or '.join(f'`{other}`' for other in aliases)}"
    secret = SecretStr in (kind, *get_args(kind))
    return Row(name, variable, _default(field), meaning, tuple(aliases), secret)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "unset" if field.default_factory is not None else show(field.default)
