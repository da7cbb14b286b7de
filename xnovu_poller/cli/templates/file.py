"""A template as a file: front matter in TOML between two lines `+++`, then the body."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from json.encoder import encode_basestring as quote
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from xnovu_poller.cli.templates.findings import FileInvalid, Finding, find
from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.settings.languages import check_locale
from xnovu_poller.store.template_rows import TemplateIdentity, TemplateRow
from xnovu_poller.templates.variables import read_json

SUFFIX = ".mako"
"""How the names of template files end; editors highlight them."""

_FENCE = re.compile(r"^\+\+\+[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template that was read from a file.

    Attributes:
        path: as the user named it.
        text: the text of the file.
        body_line: the line on which the body begins.
        is_bare: it has no front matter, so its key is its name, and its channel EMAIL.
        is_row: it is a row of the table, and `text` its body.
    """

    path: str
    text: str
    row: TemplateRow
    body_line: int = 1
    is_bare: bool = False
    is_row: bool = False

    def locate(self, text: str, line: int, column: int, reason: str, *, is_warning: bool = False) -> Finding:
        """Return a finding at a place in the subject or the body."""
        written = self.row.subject or ""
        if text == "body":
            line += self.body_line - 1
            return find(self.path, self.text, line, column, reason, is_warning=is_warning)
        if self.is_row:
            return find(self.path, written, line, column, f"subject: {reason}", is_warning=is_warning)
        subject = _field_line(self.text, "subject")
        shown = self.text.split("\n")[subject - 1]
        start = shown.find(written) if "\n" not in written else -1
        # A subject with escapes or several lines is elsewhere written otherwise, so only its beginning is shown.
        column = start + column if start >= 0 else max(shown.find("=") + 3, 1)
        return find(self.path, self.text, subject, column, reason, is_warning=is_warning)


def from_row(row: TemplateRow) -> TemplateFile:
    """Return a row of the table as if it were a file; its path is the name that the file would have."""
    return TemplateFile(f"{name_file(row.identity)}", row.body, row, is_row=True)


def name_file(identity: TemplateIdentity) -> Path:
    """Return where the file of a template lies in a folder; templates of an enterprise have a folder of their own."""
    parts = [identity.key, identity.channel.lower(), *([] if identity.locale is None else [identity.locale])]
    name = Path(".".join(map(_escape, parts)) + SUFFIX)
    return name if identity.enterprise_id is None else Path(_escape(identity.enterprise_id)) / name


def _escape(name: str) -> str:
    """Return a name that every file system accepts: other characters by their number, and at most 60."""
    safe = "".join(
        letter if letter.isalnum() or letter in "-_ @+" else f"%{ord(letter):02X}" for letter in name
    )
    return safe[:60]


class _Field(NamedTuple):
    """A key of the front matter.

    Attributes:
        attribute: its name in a row.
        read: returns its value; raises ValueError with what to write.
    """

    attribute: str
    read: Callable[[Any], Any]


def _read_text(value: object) -> str:
    if type(value) is not str:
        raise ValueError('is no text; write it in quotes: "…"')
    return value


def _read_name(value: object) -> str:
    if value == "":
        raise ValueError("is empty; write a text, or leave it out")
    return _read_text(value)


def _read_flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("is neither true nor false; write true or false, without quotes")
    return value


def _read_choice(kind: type[Channel] | type[PublishStatus]) -> Callable[[Any], Channel | PublishStatus]:
    def read(value: Any) -> Channel | PublishStatus:  # noqa: ANN401 - a value of TOML
        if value not in list(kind):
            raise ValueError(f"is none of {', '.join(kind)}; write one of them in quotes")
        return kind(value)

    return read


def _read_format(value: object) -> str:
    if value not in ("html", "text"):
        raise ValueError('is neither "html" nor "text"; write one of them')
    return str(value)


def _read_values(value: object) -> str:
    """Return a table as JSON, or a text that holds JSON; TOML has no null."""
    written = value if type(value) is str else to_json(value)
    try:
        is_object = type(read_json(written)) is dict
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise ValueError("is no object; write a table, or a JSON object as a text")
    return written


_FIELDS: Mapping[str, _Field] = {
    "key": _Field("key", _read_name),
    "channel": _Field("channel", _read_choice(Channel)),
    "locale": _Field("locale", lambda value: check_locale(_read_name(value))),
    "enterprise": _Field("enterprise_id", _read_name),
    "name": _Field("name", _read_text),
    "subject": _Field("subject", _read_text),
    "format": _Field("format", _read_format),
    "trusted": _Field("trusted", _read_flag),
    "publish_status": _Field("publish_status", _read_choice(PublishStatus)),
    "deactivated": _Field("deactivated", _read_flag),
    "defaults": _Field("defaults", _read_values),
    "variables": _Field("variables", _read_values),
}


def read_file(path: Path) -> TemplateFile:
    """Read a template from a file.

    Raises:
        FileInvalid: it is no template; names the place.
    """
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        reason = "the file is not UTF-8; save it as UTF-8"
        raise _invalid(path, before + "\ufffd", len(before), reason) from None
    except OSError as error:
        raise FileInvalid(Finding(str(path), 1, 1, f"it cannot be read: {error.strerror}", "")) from None
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise _invalid(path, text, text.index("\0"), "a null character is not allowed; remove it")
    fence = _FENCE.match(text)
    if fence is None:
        key = path.name.partition(".")[0]
        row = TemplateRow(None, key, Channel.EMAIL, text.removesuffix("\n"), name=key)
        return TemplateFile(str(path), text, row, is_bare=True)
    end = _FENCE.search(text, fence.end())
    if end is None:
        raise _invalid(path, text, 0, "the front matter is not closed; write a line +++ before the body")
    values = _read_fields(path, text, text[fence.end() : end.start()])
    row = TemplateRow(
        **{"enterprise_id": None, "name": values["key"], **values}, body=text[end.end() :].removesuffix("\n")
    )
    return TemplateFile(str(path), text, row, text.count("\n", 0, end.end()) + 1)


def _read_fields(path: Path, text: str, front: str) -> dict[str, Any]:
    """Return the values of the front matter by the names that a row has."""
    try:
        # The line end stands for the line of `+++`, so that lines are counted as in the file.
        given = tomllib.loads("\n" + front.replace("\r\n", "\n"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        line, column = (place[1], place[2]) if place and place[1] else (front.count("\n") + 1, 1)
        reason = f"the front matter is no TOML: {_TOML_PLACE.sub('', str(error))}"
        raise FileInvalid(find(str(path), text, int(line), int(column), reason)) from None
    values: dict[str, Any] = {}
    for name, value in given.items():
        attribute = _name(path, text, name)
        values[attribute] = _read_field(path, text, name, value)
    for name in ("key", "channel"):
        if name not in given:
            raise _invalid(path, text, 0, f'the front matter has no {name}; write {name} = "…"')
    _check_format(path, text, values)
    return values


def _name(path: Path, text: str, name: str) -> str:
    if name in _FIELDS:
        return _FIELDS[name].attribute
    near = get_close_matches(name, _FIELDS, 1)
    reason = (
        f"{name} is no key; write {near[0]}"
        if near
        else f"{name} is no key; the keys are {', '.join(_FIELDS)}"
    )
    raise FileInvalid(find(str(path), text, _field_line(text, name), 1, reason))


def _read_field(path: Path, text: str, name: str, value: object) -> object:
    try:
        return _FIELDS[name].read(value)
    except ValueError as error:
        raise FileInvalid(find(str(path), text, _field_line(text, name), 1, f"{name} {error}")) from None


def _check_format(path: Path, text: str, values: Mapping[str, Any]) -> None:
    given, channel = values.get("format"), values["channel"]
    if (given == "html" and channel not in {Channel.EMAIL, Channel.IN_APP}) or (
        given == "text" and channel is Channel.EMAIL
    ):
        reason = (
            f"{channel} has no format {given}; EMAIL is html, IN_APP is html or text, the others are text"
        )
        raise FileInvalid(find(str(path), text, _field_line(text, "format"), 1, reason))


def _field_line(text: str, name: str) -> int:
    """Return the line on which the front matter has a key; 1 if it is written in an unusual way."""
    found = re.search(rf"""^[ \t]*\[?[ \t]*["']?{re.escape(name)}["']?[ \t]*[=\].]""", text, re.MULTILINE)
    return 1 if found is None else text.count("\n", 0, found.start()) + 1


def _invalid(path: Path, text: str, at: int, reason: str) -> FileInvalid:
    column = at - text.rfind("\n", 0, at)
    return FileInvalid(find(str(path), text, text.count("\n", 0, at) + 1, column, reason))


def write_file(row: TemplateRow) -> str:
    """Return the text of a template's file; `read_file` reads the same template from it."""
    front = {
        "key": row.key,
        "channel": row.channel.value,
        "locale": row.locale,
        "enterprise": row.enterprise_id,
        "name": row.name if row.name != row.key else None,
        "subject": row.subject,
        "format": row.format,
        "trusted": row.trusted or None,
        "publish_status": row.publish_status.value,
        "deactivated": row.deactivated or None,
        "defaults": _write_values(row.defaults),
        "variables": _write_values(row.variables),
    }
    written = {name: value for name, value in front.items() if value is not None}
    return f"+++\n{tomli_w.dumps(written)}+++\n{row.body}\n"


def _write_values(text: str) -> object:
    """Return JSON as a table if TOML has all of its values; None if it is empty."""
    if text == "{}":
        return None
    try:
        values = read_json(text)
    except (ValueError, RecursionError):
        return text
    return text if _has_null(values) else values


def _has_null(value: object) -> bool:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value is None or any(_has_null(item) for item in items)


def to_json(value: object) -> str:
    """Return a value as JSON; no number changes its digits.

    Raises:
        ValueError: JSON has no such value.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quote(name)}: {to_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    raise ValueError("has a value that JSON does not have, such as a date; write it as a text, in quotes")
