"""`xnovu novu-standin`: Novu's API on this machine, to try things out and for tests."""

import contextlib
from pathlib import Path
from typing import get_args

import click

from xnovu_poller.dev.standin.environment import Environment, Plan, Switches
from xnovu_poller.dev.standin.serve import format_address, listen, serve


@click.command("novu-standin")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@click.option("--secret-key", help="Accept only this key.  [default: any key]")
@click.option(
    "--rate-limit",
    type=click.Choice(get_args(Plan)),
    default="off",
    show_default=True,
    help="Throttle calls as Novu does on this plan.",
)
@click.option(
    "--idempotency/--no-idempotency",
    default=False,
    show_default=True,
    help="Honour the Idempotency-Key header, as Novu does if you enable it.",
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every accepted trigger to this file, and read it at the next start.",
)
@click.option("--temporal-ui", help="The address of Temporal's web interface, which the page links to.")
def novu_standin(  # noqa: PLR0913 - one for each option
    host: str,
    port: int,
    secret_key: str | None,
    rate_limit: Plan,
    *,
    idempotency: bool,
    ledger: Path | None,
    temporal_ui: str | None,
) -> None:
    """Run a stand-in for Novu that sends nothing.

    It answers calls about triggers, subscribers and topics as Novu's API does, and records what each
    subscriber would have received. The first line that it prints is its address: set NOVU_API_URL to it.
    NOVU_SECRET_KEY may be anything unless you pass --secret-key.

    \b
    Open the address in a browser to read what arrived, as inboxes of people, and to let Novu be down, throttle or
    reject. Tests can use the control API:
      GET    /_standin/ledger        accepted triggers and deliveries
      GET    /_standin/stats         counts, including duplicates
      POST   /_standin/faults        make calls fail; GET lists, DELETE clears
      PATCH  /_standin/switches      rate limits, idempotency, repeats
      PUT    /_standin/workflows/ID  unknown, inactive, delayed, schema
      POST   /_standin/deliver       deliver delayed triggers
      POST   /_standin/reset         forget everything

    It runs until Ctrl-C or SIGTERM.
    """  # noqa: D301 - Click needs the backspace: it keeps the paragraph's line breaks
    environment = Environment(
        Switches(secret_key=secret_key, rate_limit=rate_limit, idempotency=idempotency), ledger
    )
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    click.echo(format_address(listener))
    with contextlib.suppress(KeyboardInterrupt):
        serve(environment, listener, temporal_ui)
