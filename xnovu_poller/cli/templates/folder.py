"""Templates in files: find them, and choose among them as a worker chooses among rows."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xnovu_poller.cli.templates.file import SUFFIX, TemplateFile, read_file
from xnovu_poller.cli.templates.findings import FileInvalid, Finding, find
from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.templates import MOST_PARTS, find_excess
from xnovu_poller.templates.check import name_parts
from xnovu_poller.templates.render import TemplateSource
from xnovu_poller.templates.variables import read_json


class Folder(NamedTuple):
    """The templates of some files, and the faults of other files."""

    files: list[TemplateFile]
    findings: list[Finding]


class Wanted(NamedTuple):
    """For whom a template is chosen; `locales` begins with the best, and ends with the empty name for any."""

    enterprise_id: str | None
    channel: Channel
    locales: Sequence[str]


def read_folder(paths: Iterable[Path]) -> Folder:
    """Read the files that are named, and all `*.mako` in and below folders."""
    found = Folder([], [])
    for path in paths:
        for each in sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]:
            try:
                found.files.append(read_file(each))
            except FileInvalid as invalid:
                found.findings.append(invalid.finding)
    first = {file.row.identity: file.path for file in reversed(found.files)}
    for file in found.files:
        if first[file.row.identity] != file.path:
            reason = (
                f"{first[file.row.identity]} is the same template; change key, channel, locale or enterprise"
            )
            found.findings.append(find(file.path, file.text, 1, 1, reason))
    return found


Shelf = Mapping[tuple[str, Channel], Sequence[TemplateFile]]
"""Templates by key and channel."""


def shelve(files: Iterable[TemplateFile]) -> Shelf:
    """Return templates by key and channel."""
    shelf: dict[tuple[str, Channel], list[TemplateFile]] = {}
    for file in files:
        shelf.setdefault((file.row.key, file.row.channel), []).append(file)
    return shelf


def choose(shelf: Shelf, key: str, wanted: Wanted) -> TemplateFile | None:
    """Return the template that a worker would take; the enterprise's own comes before a global template."""
    fitting = [
        file
        for file in shelf.get((key, wanted.channel), ())
        if file.row.enterprise_id in {None, wanted.enterprise_id}
        and (file.row.locale or "") in wanted.locales
    ]
    return min(
        fitting,
        key=lambda file: (file.row.enterprise_id is None, wanted.locales.index(file.row.locale or "")),
        default=None,
    )


def _guess(shelf: Shelf, key: str, wanted: Wanted) -> TemplateFile | None:
    """Return a template in any language; a global template may be shown with that of any enterprise."""
    owners = {None, wanted.enterprise_id}
    found = shelf.get((key, wanted.channel), ())
    return next(
        (file for file in found if wanted.enterprise_id is None or file.row.enterprise_id in owners), None
    )


class Chosen(NamedTuple):
    """A template as the renderer takes it, with the files of its layouts and partials by their keys."""

    source: TemplateSource
    parts: dict[str, TemplateFile]


def list_parts(file: TemplateFile) -> set[str]:
    """Return the keys of the layouts and partials that a template names itself."""
    texts = (file.row.subject or "", file.row.body)
    return {key for text in texts for key, _ in name_parts(text)}


def find_parts(
    file: TemplateFile, shelf: Shelf, wanted: Wanted, *, is_guess: bool = False
) -> dict[str, TemplateFile]:
    """Return the layouts and partials that a subject and a body use, by their keys.

    Args:
        is_guess: nobody knows which notification is rendered, so a part in another language is better than none.
    """
    parts: dict[str, TemplateFile] = {}
    waiting = [file]
    while waiting and len(parts) <= MOST_PARTS:
        for key in list_parts(waiting.pop()):
            part = choose(shelf, key, wanted) or (_guess(shelf, key, wanted) if is_guess else None)
            if part is not None and key not in parts:
                parts[key] = part
                waiting.append(part)
    return parts


def _weigh(file: TemplateFile) -> int:
    row = file.row
    return sum(len(text.encode()) for text in (row.subject or "", row.body, row.defaults))


def to_source(file: TemplateFile, shelf: Shelf, wanted: Wanted, *, is_guess: bool = False) -> Chosen:
    """Return a template with the layouts and partials that are there.

    Raises:
        FileInvalid: it uses too much, or its defaults cannot be read.
    """
    parts = find_parts(file, shelf, wanted, is_guess=is_guess)
    if (excess := find_excess([_weigh(each) for each in (file, *parts.values())])) is not None:
        raise FileInvalid(find(file.path, file.text, file.body_line, 1, excess))
    row = file.row
    try:
        defaults = read_json(row.defaults)
    except (ValueError, RecursionError):
        reason = "its defaults are nested too deep, or a number in them is too long; write them shorter"
        raise FileInvalid(find(file.path, file.text, 1, 1, reason)) from None
    source = TemplateSource(
        row.enterprise_id,
        row.channel,
        row.subject,
        row.body,
        defaults,
        row.format,
        # As in a worker: an untrusted part may be another author's.
        trusted=row.trusted and all(part.row.trusted for part in parts.values()),
        parts={key: part.row.body for key, part in parts.items()},
    )
    return Chosen(source, parts)
