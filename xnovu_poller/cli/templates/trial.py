"""`xnovu templates try`: what a new version of a template would make of the notifications of late."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import json_option, print_json
from xnovu_poller.cli.templates.file import TemplateFile, from_row, read_file
from xnovu_poller.cli.templates.findings import FileInvalid, Finding, find, print_findings, show
from xnovu_poller.cli.templates.folder import Shelf, Wanted, choose, find_parts, list_parts, shelve, to_source
from xnovu_poller.cli.templates.lint import find_faults
from xnovu_poller.cli.templates.render import choose_language, locate
from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.store.enterprises import Enterprise, read_enterprises
from xnovu_poller.store.samples import Sample, read_samples
from xnovu_poller.store.template_rows import read_rows
from xnovu_poller.store.templates import fallbacks
from xnovu_poller.templates.attempt import Failure, attempt
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer
from xnovu_poller.templates.variables import Occasion, list_variables, read_json

MOST_SHOWN = 10
"""The most ids in a line for people; JSON has all."""


@dataclass(slots=True)
class Trial:
    """What a new version would do to notifications, by their ids.

    Attributes:
        same: those that would get the same text.
        different: those whose text would be different, each with the first place, such as `body 3:5`.
        failing: those that would newly fail, by the reason.
        repaired: those that fail only with the published version, or have none.
        failing_before: those that fail with both.
        unread: those whose payload is too large, or cannot be read.
    """

    same: list[int] = field(default_factory=list)
    different: dict[int, str] = field(default_factory=dict)
    failing: dict[Finding, list[int]] = field(default_factory=dict)
    repaired: list[int] = field(default_factory=list)
    failing_before: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)


@click.command("try")
@click.argument("key")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--last",
    type=click.IntRange(1, 1000),
    default=200,
    show_default=True,
    help="How many notifications, at most.",
)
@click.option(
    "--enterprise", help="Only its notifications; otherwise those of the template's enterprise, or all."
)
@json_option
@click.pass_context
def try_(
    ctx: click.Context, key: str, path: Path, *, last: int, enterprise: str | None, as_json: bool
) -> None:
    """Try the version of a template in a file with real payloads.

    The newest notifications that use the key, also as a layout or partial, are rendered twice: with the published version,
    and with that of the file. The output shows which would fail, and which would get another text, but neither payloads
    nor texts. If a notification would newly fail, the exit code is 1. Nothing is written or sent.

    \b
    Example:
        xnovu templates try welcome templates/welcome.mako
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    trial, findings = Trial(), list[Finding]()
    try:
        file = _read_version(path, key)
        trial, findings = asyncio.run(_try(file, enterprise or file.row.enterprise_id, last))
    except FileInvalid as invalid:
        findings.append(invalid.finding)
    is_faulty = any(not finding.is_warning for finding in findings)
    if as_json:
        failing = [{**asdict(reason), "ids": ids} for reason, ids in trial.failing.items()]
        print_json(
            asdict(replace(trial, failing={})) | {"failing": failing, "findings": list(map(asdict, findings))}
        )
    else:
        print_findings(findings, as_json=False)
        if not is_faulty:
            _print(trial)
    if trial.failing or is_faulty:
        ctx.exit(1)


def _read_version(path: Path, key: str) -> TemplateFile:
    """Return the version in a file.

    Raises:
        FileInvalid: it is no template, or that of another key.
    """
    file = read_file(path)
    if file.is_bare:
        return replace(file, row=replace(file.row, key=key, name=key))
    if file.row.key != key:
        reason = f"the key is {file.row.key}, not {key}; name the same key in both places"
        raise FileInvalid(find(file.path, file.text, 1, 1, reason))
    return file


async def _try(file: TemplateFile, enterprise: str | None, last: int) -> tuple[Trial, list[Finding]]:
    """Compare the version in a file with the published version; return its own faults, too."""
    async with database() as engine:
        rows = await read_rows(engine, enterprise, published=True)
        before = [from_row(row) for row in rows if row.channel is file.row.channel]
        after = [file, *(each for each in before if each.row.identity != file.row.identity)]
        findings = [each for each in find_faults(after, knows_all=True) if each.file == file.path]
        if any(not finding.is_warning for finding in findings):
            return Trial(), findings
        samples = await read_samples(
            engine, _find_users(after, file.row.key), file.row.channel, enterprise, last
        )
        enterprises = await read_enterprises(engine, {sample.enterprise_id for sample in samples})
    comparison = _Comparison(file, before, after)
    for sample in samples:
        comparison.add(sample, enterprises[sample.enterprise_id])
    return comparison.trial, findings


def _find_users(files: Sequence[TemplateFile], key: str) -> set[str]:
    """Return a key, and the keys of the templates that use it, at any depth."""
    uses = [(file.row.key, list_parts(file)) for file in files]
    keys, found = set[str](), {key}
    while found:
        keys |= found
        found = {user for user, parts in uses if parts & found} - keys
    return keys


class _Comparison:
    """Renders notifications with the templates before and after a change.

    Args:
        file: the version that is tried.
    """

    def __init__(
        self, file: TemplateFile, before: Sequence[TemplateFile], after: Sequence[TemplateFile]
    ) -> None:
        self._file = file
        self._before = shelve(before)
        self._after = shelve(after)
        self._renderer = Renderer()
        self.trial = Trial()

    def add(self, sample: Sample, enterprise: Enterprise) -> None:
        """Render a notification with both, and note the difference; leave it out if it does not use the file."""
        trial, language = self.trial, choose_language(enterprise, sample.locale, sample.time_zone)
        try:
            variables = list_variables(_occasion(sample, enterprise), read_json(sample.payload or ""))
        except (ValueError, RecursionError, TemplateFailed):
            trial.unread.append(sample.id)
            return
        rendering = _Rendering(self._renderer, sample, self._file.row.channel, variables, language)
        if not rendering.uses(self._file, self._after):
            return
        before, after = rendering.render(self._before), rendering.render(self._after)
        if isinstance(after, Rendered):
            if not isinstance(before, Rendered):
                trial.repaired.append(sample.id)
            elif before == after:
                trial.same.append(sample.id)
            else:
                trial.different[sample.id] = find_difference(before, after)
        elif isinstance(before, Finding):
            trial.failing_before.append(sample.id)
        elif after is not None:
            trial.failing.setdefault(after, []).append(sample.id)


@dataclass(frozen=True, slots=True)
class _Rendering:
    """A notification, with all that its text depends on besides templates."""

    renderer: Renderer
    sample: Sample
    channel: Channel
    variables: Mapping[str, Any]
    language: Language

    @property
    def _wanted(self) -> Wanted:
        return Wanted(self.sample.enterprise_id, self.channel, fallbacks(self.language.locale))

    def uses(self, file: TemplateFile, shelf: Shelf) -> bool:
        """Return whether its template is a certain file, or uses it."""
        template = choose(shelf, self.sample.template_key, self._wanted)
        if template is None or template is file:
            return template is file
        return any(part is file for part in find_parts(template, shelf, self._wanted).values())

    def render(self, shelf: Shelf) -> Rendered | Finding | None:
        """Return its text, or why it has none; None if it has no template."""
        template = choose(shelf, self.sample.template_key, self._wanted)
        if template is None:
            return None
        try:
            chosen = to_source(template, shelf, self._wanted)
        except FileInvalid as invalid:
            return invalid.finding
        result = attempt(self.renderer, chosen.source, self.variables, self.language)
        return locate(template, chosen, result) if isinstance(result, Failure) else result


def _occasion(sample: Sample, enterprise: Enterprise) -> Occasion:
    return Occasion(
        sample.enterprise_id,
        enterprise.name,
        enterprise.brand,
        sample.workflow_key,
        sample.workflow_name,
        sample.id,
        sample.name,
        sample.due_at,
        sample.scheduled_for,
        sample.fired_at,
    )


def find_difference(before: Rendered, after: Rendered) -> str:
    """Return where the texts of a notification begin to differ, as `body 3:5`: line and column in the new text."""
    name = "body" if before.subject == after.subject else "subject"
    old, new = (getattr(each, name) or "" for each in (before, after))
    shorter = min(len(old), len(new))
    at = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    return f"{name} {new.count(chr(10), 0, at) + 1}:{at - new.rfind(chr(10), 0, at)}"


def _print(trial: Trial) -> None:
    for reason, ids in trial.failing.items():
        click.echo(f"{show(reason)}\n      = {_list(ids)}")
    if trial.different:
        places = [f"{id_} ({place})" for id_, place in trial.different.items()]
        click.echo(f"Another text: {_list(places)}")
    for name, ids in (
        ("Fails only with the published version", trial.repaired),
        ("Fails with both versions", trial.failing_before),
        ("Not tried, because the payload is too large or cannot be read", trial.unread),
    ):
        if ids:
            click.echo(f"{name}: {_list(ids)}")
    failing = sum(map(len, trial.failing.values()))
    tried = failing + sum(map(len, (trial.same, trial.different, trial.repaired, trial.failing_before)))
    click.echo(
        f"{tried} tried: {failing} would newly fail, {len(trial.different)} would get another text,"
        f" {len(trial.same)} the same."
    )


def _list(ids: Sequence[object]) -> str:
    shown = ", ".join(map(str, ids[:MOST_SHOWN]))
    more = len(ids) - MOST_SHOWN
    return f"notification{'s' if len(ids) > 1 else ''} {shown}{f' and {more} more' if more > 0 else ''}"
