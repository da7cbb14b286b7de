"""`xnovu workflows`: list the workflows, and make those in Novu follow them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from xnovu_poller import log
from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import escape_for_terminal, json_option, print_json, print_table
from xnovu_poller.cli.rules.output import format_iso, format_time
from xnovu_poller.settings import load
from xnovu_poller.store import workflow_sync
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflow_sync import Kind, Record

if TYPE_CHECKING:
    from xnovu_poller.novu.workflows import NovuWorkflows
    from xnovu_poller.sync.apply import Report
    from xnovu_poller.sync.plan import Item


@click.group
def workflows() -> None:
    """List workflows, and make Novu's workflows follow the rows.

    A workflow is a row of notify.ent_notification_workflow, and the workflow in Novu with the same key. The text of a
    DYNAMIC workflow is rendered here, so all of them have the same form in Novu, and `sync` writes them there. People
    write STATIC workflows in Novu; `sync` only reports those that are missing.
    """


@workflows.command(name="list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the published workflows by key, and when each was last written to Novu.

    It needs DATABASE_URL only.
    """
    kinds, records = asyncio.run(_read())
    if as_json:
        print_json([_kind_to_json(kind, records.get(kind.key)) for kind in kinds])
        return
    rows = [
        (kind.key, kind.type, str(kind.rows), ", ".join(kind.channels), format_time(_written_at(records.get(kind.key))))
        for kind in kinds
    ]  # fmt: skip
    print_table(("KEY", "TYPE", "ROWS", "CHANNELS", "WRITTEN TO NOVU"), rows)


async def _read() -> tuple[list[Kind], dict[str, Record]]:
    async with database() as engine:
        return await workflow_sync.read_kinds(engine), await workflow_sync.read_records(engine)


@dataclass(frozen=True, slots=True)
class _Sync:
    """What `sync` was asked for."""

    only: Sequence[str]
    environments: tuple[str, str] | None
    dry_run: bool
    force: bool


def _parse_environments(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, str] | None:
    if text is None:
        return None
    source, dots, target = text.partition("..")
    if not (source and dots and target):
        raise click.BadParameter("write two environments of Novu, as in Development..Production")
    return source, target


@workflows.command
@click.option("--dry-run", is_flag=True, help="Print the plan, and write nothing.")
@click.option("--only", metavar="KEY", multiple=True, help="Look at this workflow only; may be repeated.")
@click.option("--force", is_flag=True, help="Overwrite what a person has changed in Novu.")
@click.option(
    "--publish",
    "environments",
    metavar="FROM..TO",
    callback=_parse_environments,
    help="Then publish these workflows from one environment of Novu to another.",
)
@json_option
@click.pass_context
def sync(
    ctx: click.Context,
    only: tuple[str, ...],
    environments: tuple[str, str] | None,
    *,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Create and change Novu's workflows so that they follow the published DYNAMIC rows.

    Novu gets one workflow for each key, with a step for each channel that a row of any enterprise has. A workflow that
    we did not write is never touched, and what a person has changed in Novu stays unless you pass --force. You may run
    the command again at any time. The exit code is 1 if anything needs a person, which the output explains.

    \b
    Example:
        xnovu workflows sync --dry-run
        xnovu workflows sync --publish Development..Production
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    # The command reports failures itself.
    log.configure("error", "console")
    report = asyncio.run(_sync(_Sync(only, environments, dry_run, force)))
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "workflows": [_item_to_json(item) for item in report.items],
                "published": report.published,
                "problems": report.problems,
            }
        )
    else:
        _print_report(report, dry_run=dry_run)
    if report.problems:
        ctx.exit(1)


async def _sync(asked: _Sync) -> "Report":
    # aiohttp takes long to load, and most commands do without it.
    from xnovu_poller.novu.workflows import NovuWorkflows  # noqa: PLC0415

    settings = load()
    key = settings.novu_secret_key.get_secret_value()
    novu = NovuWorkflows(settings.novu_api_url, key, settings.novu_timeout)
    try:
        async with database() as engine:
            return await _sync_with(engine, novu, asked)
    finally:
        await novu.aclose()


async def _sync_with(engine: Engine, novu: "NovuWorkflows", asked: _Sync) -> "Report":
    from xnovu_poller.sync import apply, plan  # noqa: PLC0415 - as above

    report = await apply.synchronise(engine, novu, only=asked.only, dry_run=asked.dry_run, force=asked.force)
    if asked.environments is None or report.problems:
        return report
    keys = {item.key for item in report.items if item.action in plan.OURS}
    lines, problems = await apply.publish(novu, *asked.environments, keys, dry_run=asked.dry_run)
    return apply.Report(report.items, problems, lines)


def _print_report(report: "Report", *, dry_run: bool) -> None:
    rows = [(item.action, item.key, ", ".join(item.channels)) for item in report.items]
    print_table(("ACTION", "KEY", "CHANNELS"), rows)
    for line in report.published:
        click.echo(f"publish: {escape_for_terminal(line)}")
    if dry_run:
        click.echo("Nothing was written.")
    for problem in report.problems:
        click.echo(f"xnovu: {escape_for_terminal(problem)}", err=True)


def _kind_to_json(kind: Kind, record: Record | None) -> dict[str, object]:
    return {
        "key": kind.key,
        "type": kind.type,
        "rows": kind.rows,
        "channels": kind.channels,
        "written_at": format_iso(_written_at(record)),
    }


def _item_to_json(item: "Item") -> dict[str, object]:
    return {"key": item.key, "action": item.action, "channels": item.channels, "reason": item.reason}


def _written_at(record: Record | None) -> datetime | None:
    return None if record is None else record.written_at
