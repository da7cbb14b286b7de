"""`xnovu temporal`: prepare a namespace of Temporal."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from xnovu_poller import log
from xnovu_poller.cli.output import escape_for_terminal, json_option, print_json
from xnovu_poller.settings import load_temporal_address

if TYPE_CHECKING:
    from xnovu_poller.temporal.setup import Report


@click.group
def temporal() -> None:
    """Prepare a namespace of Temporal for the workers."""


@temporal.command
@click.option(
    "--retention-days",
    type=click.IntRange(1, 365),
    default=3,
    show_default=True,
    help="How long a new namespace keeps closed runs.",
)
@json_option
@click.pass_context
def setup(ctx: click.Context, retention_days: int, *, as_json: bool) -> None:
    """Create the namespace and the search attributes, and check that closed runs are kept for at least a day.

    You may run it at any time: it changes nothing that fits. It needs the settings of Temporal only. On Temporal Cloud
    it changes nothing; it checks the namespace, and prints the commands that are left for you. The exit code is 1 if
    anything is left.
    """
    # Temporal's SDK takes long to load, and most commands do without it.
    from xnovu_poller.temporal import client, setup  # noqa: PLC0415

    log.configure("error", "console")
    address = client.address_of(load_temporal_address())
    change = setup.check if setup.is_cloud(address.target) else setup.prepare
    report = asyncio.run(change(address, timedelta(days=retention_days)))
    if as_json:
        print_json({"done": report.done, "steps": report.steps, "problems": report.problems})
    else:
        print_report(report)
    if report.steps or report.problems:
        ctx.exit(1)


def print_report(report: "Report") -> None:
    """Print the changes, the steps that are left, and the problems."""
    for line in report.done:
        click.echo(escape_for_terminal(line))
    for step in report.steps:
        click.echo(f"run: {escape_for_terminal(step)}")
    for problem in report.problems:
        click.echo(f"xnovu: {escape_for_terminal(problem)}", err=True)
    if not (report.done or report.steps or report.problems):
        click.echo("Nothing had to be changed.")
