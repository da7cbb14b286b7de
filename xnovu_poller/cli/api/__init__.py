"""`xnovu api`: run the API, and keep its keys."""

import click

from xnovu_poller.cli.group import LazyCommands, Place

_PLACES = {
    "start": Place("xnovu_poller.cli.api.start", "start", ""),
    "execute": Place("xnovu_poller.cli.api.start", "execute", ""),
    "key": Place("xnovu_poller.cli.api.key", "key", ""),
}


@click.group(commands=LazyCommands(_PLACES))
def api() -> None:
    """Serve the API over HTTP, and make, list and revoke its keys."""
