"""`xnovu docker`: build the image, tag it as git names the commit, run it and push it."""

import click

from xnovu_poller.cli.group import LazyCommands, Place

_PLACES = {
    name: Place(f"xnovu_poller.cli.docker.{module}", name, "")
    for name, module in {"build": "image", "push": "image", "run": "container", "stop": "container"}.items()
}


@click.group(commands=LazyCommands(_PLACES))
def docker() -> None:
    """Build, run and push the image, with tags from git.

    `build` and `push` need a checkout. Each command runs `docker`, and with --dry-run only prints what it would run.
    `xnovu docker:build` is an earlier name of `xnovu docker build`, and so on.
    """
