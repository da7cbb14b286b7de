"""`xnovu worker`: run a worker, stop it, and ask how it is."""

import click

from xnovu_poller.cli.group import LazyCommands, Place

_PLACES = {
    name: Place(f"xnovu_poller.cli.worker.{module}", name, "")
    for name, module in {
        "start": "start",
        "stop": "stop",
        "restart": "stop",
        "status": "ask",
        "health": "ask",
        "execute": "start",
    }.items()
}


@click.group(commands=LazyCommands(_PLACES))
def worker() -> None:
    """Run a worker that claims and delivers notifications.

    You can run any number of workers side by side. `xnovu daemon` is an earlier name of `xnovu worker`.
    """
