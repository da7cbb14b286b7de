"""`xnovu rules`: what a person asks of the rules, and does with them."""

import click

from xnovu_poller.cli.rules.change import backfill, fire, pause, resume
from xnovu_poller.cli.rules.preview import preview
from xnovu_poller.cli.rules.show import list_, show
from xnovu_poller.cli.rules.validate import validate


@click.group
def rules() -> None:
    """Look at the rules that write notifications by themselves, try them, pause and fire them.

    A rule is a row of notify.ent_notification_rule; Temporal's schedules follow the rows. No command needs
    NOVU_SECRET_KEY: `show`, `fire` and `backfill` need DATABASE_URL and TEMPORAL_*, the others DATABASE_URL,
    and `preview --cron`, `preview --config` and `validate --config` nothing at all.

    \b
    Try first, without any server:
        xnovu rules preview --cron '0 9 * * 1-5' --timezone Asia/Shanghai
        xnovu rules validate --config '{"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}'
    Then, on the rows:
        xnovu rules list --enterprise acme
        xnovu rules validate
    """  # noqa: D301 - Click takes the backspace for "leave this paragraph as it is"


for _command in (list_, show, preview, validate, fire, pause, resume, backfill):
    rules.add_command(_command)
