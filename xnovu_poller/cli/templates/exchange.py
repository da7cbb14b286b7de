"""`xnovu templates export` and `import`: keep templates in files, and so in git."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import escape_for_terminal, json_option, print_json
from xnovu_poller.cli.templates.file import TemplateFile, name_file, write_file
from xnovu_poller.cli.templates.findings import Finding, find, print_findings
from xnovu_poller.cli.templates.folder import read_folder
from xnovu_poller.cli.templates.lint import find_faults
from xnovu_poller.store.template_rows import Saved, TemplateIdentity, TemplateRow, read_rows, save_rows
from xnovu_poller.templates.variables import read_json

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("export")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--enterprise", help="Only the templates of this enterprise, and the global templates.")
@click.option("--dry-run", is_flag=True, help="Write nothing; only show what would be written.")
@json_option
@click.pass_context
def export(ctx: click.Context, folder: Path, *, enterprise: str | None, dry_run: bool, as_json: bool) -> None:
    """Write each template of the database to a file.

    Drafts are written, too. A template whose file is in the folder already keeps its file, under any name; if the file
    holds the same template, it is not touched. No file is deleted.
    """
    files, findings = read_folder([folder] if folder.exists() else [])
    if findings:
        print_findings(findings, as_json=as_json)
        ctx.exit(1)
    rows = asyncio.run(_read(enterprise))
    outcomes: dict[str, str] = {}
    known = {file.row.identity: file for file in files}
    taken = {file.path.casefold() for file in files}
    for row in rows:
        path = _find_path(folder, row.identity, known, taken)
        outcomes[str(path)] = _write(path, row, known.get(row.identity), dry_run=dry_run)
    _print(outcomes, as_json=as_json)


async def _read(enterprise: str | None) -> list[TemplateRow]:
    async with database() as engine:
        return await read_rows(engine, enterprise, published=False)


def _find_path(
    folder: Path, identity: TemplateIdentity, known: dict[TemplateIdentity, TemplateFile], taken: set[str]
) -> Path:
    """Return the file of a template: that which has it already, or a new name; names that differ only in capitals are one on some systems."""
    if identity in known:
        return Path(known[identity].path)
    usual = path = folder / name_file(identity)
    number = 1
    while str(path).casefold() in taken:
        number += 1
        path = usual.with_name(f"{usual.name.partition('.')[0]}~{number}.{usual.name.partition('.')[2]}")
    taken.add(str(path).casefold())
    return path


def _write(path: Path, row: TemplateRow, known: TemplateFile | None, *, dry_run: bool) -> str:
    if known is not None and _is_same(known.row, row):
        return "same"
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_file(row).encode())
    return "created" if known is None else "changed"


def _is_same(file: TemplateRow, row: TemplateRow) -> bool:
    try:
        values = [(read_json(each.defaults), read_json(each.variables)) for each in (file, row)]
    except (ValueError, RecursionError):
        return file == row
    return values[0] == values[1] and replace(file, defaults=row.defaults, variables=row.variables) == row


@click.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Write nothing; only show what would change.")
@json_option
@click.pass_context
def import_(ctx: click.Context, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Write the templates of a folder to the database.

    All files are checked as with `xnovu templates lint` first, and nothing is written if there is a fault. Then all templates
    are written in one transaction. A row that has the same content keeps its version; templates without a file stay as
    they are. A file without `publish_status` is a draft.
    """
    files, findings = read_folder([folder])
    findings += [_refuse_bare(file) for file in files if file.is_bare]
    findings += find_faults(files, knows_all=False)
    if any(not finding.is_warning for finding in findings):
        print_findings(findings, as_json=as_json)
        ctx.exit(1)
    saved = asyncio.run(_save(files, dry_run=dry_run))
    if saved.refusal is not None:
        refused = files[len(saved.outcomes)]
        print_findings([find(refused.path, refused.text, 1, 1, saved.refusal)], as_json=as_json)
        ctx.exit(1)
    outcomes = {file.path: outcome for file, outcome in zip(files, saved.outcomes, strict=True)}
    _print(outcomes, as_json=as_json)


def _refuse_bare(file: TemplateFile) -> Finding:
    reason = 'the front matter is missing; begin with the lines +++, key = "…", channel = "…", +++'
    return find(file.path, file.text, 1, 1, reason)


async def _save(files: Sequence[TemplateFile], *, dry_run: bool) -> Saved:
    async with database() as engine:
        return await save_rows(engine, [file.row for file in files], dry_run=dry_run)


def _print(outcomes: dict[str, str], *, as_json: bool) -> None:
    counts = Counter({"created": 0, "changed": 0, "same": 0})
    counts.update(outcomes.values())
    if as_json:
        print_json({"templates": outcomes, **counts})
        return
    for path, outcome in outcomes.items():
        if outcome != "same":
            click.echo(f"{outcome:<8} {escape_for_terminal(path)}")
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + ".")
