"""`xnovu templates lint`: find the faults of templates, without sending anything."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import json_option
from xnovu_poller.cli.templates.file import TemplateFile, from_row
from xnovu_poller.cli.templates.findings import FileInvalid, Finding, print_findings
from xnovu_poller.cli.templates.folder import Folder, Shelf, Wanted, read_folder, shelve, to_source
from xnovu_poller.store.template_rows import read_rows
from xnovu_poller.store.templates import fallbacks
from xnovu_poller.templates.check import Known, check

PATH = click.Path(exists=True, path_type=Path)


@click.command
@click.argument("paths", metavar="FILE...", type=PATH, nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="Check the published templates of the database instead."
)
@json_option
@click.pass_context
def lint(ctx: click.Context, paths: tuple[Path, ...], *, everything: bool, as_json: bool) -> None:
    """Check the templates in files, in and below folders, or in the database.

    Layouts and partials are looked for among the same files, or the published rows. Each fault is shown with its line and what to write instead;
    if there is any, the exit code is 1. A warning is no fault: the template can be sent as it stands.

    \b
    Examples:
        xnovu templates lint templates/
        xnovu templates lint --all
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    if everything == bool(paths):
        raise click.UsageError("name files or folders, or give --all")
    files, findings = Folder(asyncio.run(_read_all()), []) if everything else read_folder(paths)
    findings += find_faults(files, knows_all=everything)
    if as_json:
        print_findings(findings, as_json=True, checked=count_files(files, findings))
    else:
        print_findings(findings, as_json=False)
        click.echo(summarize(count_files(files, findings), findings))
    if any(not finding.is_warning for finding in findings):
        ctx.exit(1)


async def _read_all() -> list[TemplateFile]:
    async with database() as engine:
        return [from_row(row) for row in await read_rows(engine, None, published=True)]


def find_faults(files: Sequence[TemplateFile], *, knows_all: bool) -> list[Finding]:
    """Return the faults of templates and of all that they use, each place once."""
    shelf = shelve(files)
    known: Known = {}
    found = (finding for file in files for finding in _check(file, shelf, known, knows_all=knows_all))
    return list(dict.fromkeys(found))


def _check(file: TemplateFile, shelf: Shelf, known: Known, *, knows_all: bool) -> Iterator[Finding]:
    row = file.row
    locales = fallbacks(row.locale) if row.locale else [""]
    try:
        chosen = to_source(file, shelf, Wanted(row.enterprise_id, row.channel, locales), is_guess=True)
    except FileInvalid as invalid:
        yield invalid.finding
        return
    for fault in check(chosen.source, knows_all=knows_all, known=known):
        at, text = (file, fault.text) if fault.part is None else (chosen.parts[fault.part], "body")
        yield at.locate(text, fault.line, fault.column, fault.reason, is_warning=fault.is_warning)


def count_files(files: Sequence[TemplateFile], findings: Sequence[Finding]) -> int:
    """Return how many files were checked, those that cannot be read included."""
    return len({file.path for file in files} | {finding.file for finding in findings})


def summarize(checked: int, findings: Sequence[Finding]) -> str:
    """Return the last line of a check."""
    faulty, doubtful = (
        len({each.file for each in findings if each.is_warning is warning}) for warning in (False, True)
    )
    warned = f", {doubtful} with warnings" if doubtful else ""
    return f"{checked} checked, {faulty} with faults{warned}."
