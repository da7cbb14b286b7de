"""`xnovu notification`: what a person does with notifications."""

import click

from xnovu_poller.cli.notification.listing import list_
from xnovu_poller.cli.notification.retract import retract_
from xnovu_poller.cli.notification.revive import revive_
from xnovu_poller.cli.notification.show import show


@click.group
def notification() -> None:
    """List notifications, show what became of them and why, retract and revive them."""


for _command in (list_, show, retract_, revive_):
    notification.add_command(_command)
notification.add_command(show, name="why")
