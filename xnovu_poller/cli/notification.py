"""`xnovu notification`: what a person does with single notifications."""

import asyncio
from collections.abc import Sequence

import click

from xnovu_poller.settings import load_database
from xnovu_poller.store import schema
from xnovu_poller.store.engine import connect
from xnovu_poller.store.notifications.by_operator import Revived, revive


@click.group
def notification() -> None:
    """Take up again what was given up."""


@notification.command(name="revive")
@click.argument("ids", metavar="ID...", type=click.IntRange(1, 2**63 - 1), nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also where Novu may have accepted it and forgotten that since.")
@click.pass_context
def revive_(ctx: click.Context, ids: tuple[int, ...], *, force: bool) -> None:
    """Make DEAD or RETRACTED notifications PENDING again; mend first what killed them.

    A DEAD notification keeps its transaction id, so that Novu drops what it had accepted before; of a
    large one only the chunks that were refused or left are sent. If it may have been accepted more than
    25 days ago, Novu may no longer drop the repeat: it is left alone, unless --force is given. One whose
    `expires_at` has passed is retracted again. Exit code 1 if any was left alone.

    \b
    All that an unknown workflow key killed:
        psql -AtXc "SELECT id FROM notify.ent_notification WHERE notification_status = 'DEAD'
          AND error_details->>'code' = 'workflow_not_found'" "$DATABASE_URL" |
          xargs -r xnovu notification revive
    """  # noqa: D301 - Click takes the backspace for "leave this paragraph as it is"
    done = asyncio.run(_revive(load_database().sqlalchemy_url, ids, force=force))
    for id_ in dict.fromkeys(ids):
        click.echo(f"{id_}: {_told(done, id_)}")
    if done.revived != set(ids):
        ctx.exit(1)


async def _revive(url: str, ids: Sequence[int], *, force: bool) -> Revived:
    engine = connect(url, part="cli", size=1)
    try:
        await schema.check(engine)
        return await revive(engine, ids, force=force)
    finally:
        await engine.dispose()


def _told(done: Revived, id_: int) -> str:
    if id_ in done.revived:
        return "PENDING again"
    if id_ in done.doubtful:
        return "left alone: it may have been accepted more than 25 days ago; --force sends it all the same"
    return "left alone: there is none of this id that is DEAD or RETRACTED"
