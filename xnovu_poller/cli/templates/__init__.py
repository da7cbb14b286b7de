"""`xnovu templates`: check templates, and show what they make, before anybody gets it."""

import click

from xnovu_poller.cli.templates.exchange import export, import_
from xnovu_poller.cli.templates.lint import lint
from xnovu_poller.cli.templates.render import render
from xnovu_poller.cli.templates.trial import try_


@click.group
def templates() -> None:
    """Check, show and move templates.

    A template is a row of notify.ent_notification_template, or a file: a line `+++`, its key, channel and so on in TOML,
    a line `+++`, and its body.

    \b
    Try a template first, without any server:
        xnovu templates lint templates/
        xnovu templates render welcome --dir templates/ --payload payload.json
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"


for _command in (lint, render, try_, import_, export):
    templates.add_command(_command)
