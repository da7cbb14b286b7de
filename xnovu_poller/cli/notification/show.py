"""`xnovu notification show`: the story of a notification."""

import asyncio
from typing import TYPE_CHECKING

import click

from xnovu_poller import log
from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import escape_for_terminal, json_option, print_json
from xnovu_poller.errors import ConfigError
from xnovu_poller.settings import NovuSettings, load_novu, load_temporal
from xnovu_poller.store.notifications.life import was_used

if TYPE_CHECKING:
    from xnovu_poller.story import Line, Story

_NO_TIME = "live"


@click.command
@click.argument("notification_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@json_option
def show(notification_id: int, *, as_json: bool) -> None:
    """Show what became of a notification, why, and what comes next. `why` is the same command.

    The first line is the cause. Then come the lines of PostgreSQL, Temporal and Novu in the order of time, what comes
    next and when, and the run in Temporal's web interface (TEMPORAL_UI_URL). If Temporal or Novu does not answer, or
    NOVU_SECRET_KEY is not set, the command shows what the others know, and names the rest as not known. No recipient
    and no value of the payload is printed. The exit code is 1 if there is no such notification.
    """
    # The command reports failures itself.
    log.configure("error", "console")
    story = asyncio.run(_read(notification_id))
    if as_json:
        print_json(story.to_json())
        return
    _print(story)


async def _read(notification_id: int) -> "Story":
    from xnovu_poller.story import read_story  # noqa: PLC0415 - Temporal's SDK takes long to load
    from xnovu_poller.story.sources import open_sources  # noqa: PLC0415
    from xnovu_poller.temporal.shared import SharedClient  # noqa: PLC0415

    temporal = SharedClient(load_temporal())
    novu: NovuSettings | ConfigError
    try:
        novu = load_novu()
    except ConfigError as error:
        novu = error
    async with database() as engine, open_sources(temporal, novu) as sources:
        story = await read_story(engine, notification_id, sources)
        if story is None:
            reason = "retention has deleted it, or its transaction was rolled back"
            known = await was_used(engine, notification_id)
            raise click.ClickException(
                f"notification {notification_id}: does not exist; {reason if known else 'no notification has had this id yet'}"
            )
    return story


def _print(story: "Story") -> None:
    from xnovu_poller.story.story import format_moment  # noqa: PLC0415 - as above

    click.echo(escape_for_terminal(story.cause))
    click.echo()
    for line in story.lines:
        click.echo(escape_for_terminal(_format(line)))
    click.echo()
    at = "" if story.next.at is None else f" ({format_moment(story.next.at)})"
    click.echo(escape_for_terminal(f"next: {story.next.text}{at}"))
    for sentence in story.unknown:
        click.echo(escape_for_terminal(f"not known: {sentence}"))
    click.echo(f"transaction id: {story.transaction_id}")
    if story.run_id is not None:
        click.echo(escape_for_terminal(f"run: {story.temporal_url or story.run_id}"))


def _format(line: "Line") -> str:
    at = _NO_TIME if line.at is None else f"{line.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    worker = "" if line.worker is None else f", by {line.worker}"
    return f"{at:<23}  {line.source:<10}  {line.text}{worker}"
