"""`xnovu notification retract`: withdraw notifications."""

import click

from xnovu_poller.cli.notification.action import Request, request_options
from xnovu_poller.cli.notification.change import carry_out
from xnovu_poller.cli.notification.choice import choose_by_filters, parse_text
from xnovu_poller.store.notifications.actions import UNSENT, build_retract
from xnovu_poller.store.notifications.by_operator import RETRACTABLE


@click.command(name="retract")
@choose_by_filters(RETRACTABLE, ", ".join(UNSENT))
@request_options
@click.option(
    "--reason",
    type=parse_text,
    default="retracted",
    show_default=True,
    help="Why: stays in the rows, which their enterprise can read.",
)
@click.pass_context
def retract_(ctx: click.Context, request: Request, reason: str) -> None:
    """Withdraw notifications, so that they are not sent.

    Choose them by ids, or by filters, all of which must hold. Filters choose notifications that are not sent yet, unless
    you add `--state sent`. The command counts them, asks, and changes them in batches; you may stop it at any time, and
    run it again. The exit code is 1 if none was found, or any was not retracted. notify.ent_audit keeps who retracted how
    many.

    A notification is RETRACTED at once if Novu cannot have any of it. If a send is under way or its outcome is unknown, the
    outcome decides. Of a SENT notification, Novu is asked to cancel the steps that it delays or digests. To keep further
    notifications from being sent, run `xnovu pause` first.

    \b
    Example:
        xnovu notification retract --enterprise acme --workflow evacuate --reason 'wrong text' --dry-run
        xnovu notification retract 1743 1744
    """  # noqa: D301 - Click needs the backspace: it keeps the paragraph's line breaks
    ctx.exit(carry_out(build_retract(reason), request))
