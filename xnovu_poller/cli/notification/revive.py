"""`xnovu notification revive`: requeue notifications that have ended."""

import click

from xnovu_poller.cli.notification.action import Request, request_options
from xnovu_poller.cli.notification.change import carry_out
from xnovu_poller.cli.notification.choice import choose_by_filters
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.actions import build_revive
from xnovu_poller.store.notifications.by_operator import REVIVABLE


@click.command(name="revive")
@choose_by_filters(REVIVABLE, Status.DEAD)
@request_options
@click.option(
    "--force", is_flag=True, help="Also revive those that Novu may have accepted and forgotten since."
)
@click.pass_context
def revive_(ctx: click.Context, request: Request, *, force: bool) -> None:
    """Requeue DEAD or RETRACTED notifications. Fix the cause first.

    Choose them by ids, or by filters, all of which must hold. Filters choose DEAD notifications, unless you add
    `--state retracted`. The command counts them, asks, and changes them in batches; you may stop it at any time, and
    run it again. The exit code is 1 if none was found, or any was not revived. notify.ent_audit keeps who revived how
    many.

    They become PENDING again. A DEAD notification keeps its transaction id, so that Novu drops what it has already
    accepted; of a large one, only the chunks that were not accepted are sent. If Novu may have accepted it more than
    25 days ago, Novu may no longer drop the repeat: then it is not revived unless you pass --force. If its
    `expires_at` has passed, it is retracted again.

    \b
    Example:
        xnovu notification revive --code template_missing --workflow evacuate --since 24h --dry-run
        xnovu notification revive 1743 1744
    """  # noqa: D301 - Click needs the backspace: it keeps the paragraph's line breaks
    ctx.exit(carry_out(build_revive(force=force), request))
