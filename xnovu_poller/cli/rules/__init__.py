"""`xnovu rules`: look at rules, and change and fire them."""

import click

from xnovu_poller.cli.rules.change import backfill, fire, pause, resume
from xnovu_poller.cli.rules.preview import preview
from xnovu_poller.cli.rules.show import list_, show
from xnovu_poller.cli.rules.validate import validate


@click.group
def rules() -> None:
    """List, preview, check, fire and pause rules.

    A rule is a row of notify.ent_notification_rule that inserts notifications at its times. Temporal's schedules
    follow the rows. You need no NOVU_SECRET_KEY: `show`, `fire` and `backfill` need DATABASE_URL and TEMPORAL_*, the
    other commands need DATABASE_URL, and `preview --cron`, `preview --config` and `validate --config` need nothing.

    \b
    Try a rule first, without any server:
        xnovu rules preview --cron '0 9 * * 1-5' --timezone Asia/Shanghai
        xnovu rules validate --config '{"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}'
    Then look at the rows:
        xnovu rules list --enterprise acme
        xnovu rules validate
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"


for _command in (list_, show, preview, validate, fire, pause, resume, backfill):
    rules.add_command(_command)
