"""`xnovu notification`: what a person does with single notifications."""

import asyncio
from collections.abc import Sequence

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.store.notifications.by_operator import Revived, revive


@click.group
def notification() -> None:
    """Requeue notifications that have ended: DEAD or RETRACTED."""


@notification.command(name="revive")
@click.argument("ids", metavar="ID...", type=click.IntRange(1, 2**63 - 1), nargs=-1, required=True)
@click.option(
    "--force", is_flag=True, help="Also revive those that Novu may have accepted and forgotten since."
)
@click.pass_context
def revive_(ctx: click.Context, ids: tuple[int, ...], *, force: bool) -> None:
    """Requeue DEAD or RETRACTED notifications. Fix the cause first.

    They become PENDING again. A DEAD notification keeps its transaction id, so that Novu drops what it has
    already accepted; of a large one, only the chunks that were not accepted are sent. If Novu may have
    accepted it more than 25 days ago, Novu may no longer drop the repeat: then it is not revived unless you
    pass --force. If its `expires_at` has passed, it is retracted again. The exit code is 1 if any
    notification was not revived.

    \b
    To revive all that an unknown workflow key has killed:
        psql -AtXc "SELECT id FROM notify.ent_notification WHERE notification_status = 'DEAD'
          AND error_details->>'code' = 'workflow_not_found'" "$DATABASE_URL" |
          xargs -r xnovu notification revive
    """  # noqa: D301 - Click needs the backspace: it keeps the paragraph's line breaks
    result = asyncio.run(_revive(ids, force=force))
    for id_ in dict.fromkeys(ids):
        click.echo(f"{id_}: {_describe(result, id_)}")
    if result.revived.keys() != set(ids):
        ctx.exit(1)


async def _revive(ids: Sequence[int], *, force: bool) -> Revived:
    async with database() as engine:
        return await revive(engine, ids, force=force)


def _describe(result: Revived, id_: int) -> str:
    if id_ in result.revived:
        return f"{result.revived[id_]} again"
    if id_ in result.doubtful:
        return "not revived: Novu may have accepted it more than 25 days ago; use --force to send it anyway"
    return "not revived: no DEAD or RETRACTED notification has this id"
