"""`xnovu novu-standin`: Novu's API on this machine, for trying out and for tests."""

import contextlib
from pathlib import Path
from typing import get_args

import click

from xnovu_poller.dev.standin.environment import Environment, Plan, Switches
from xnovu_poller.dev.standin.serve import address_of, listen, serve


@click.command("novu-standin")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--secret-key", help="Let only this key in.  [default: any key]")
@click.option(
    "--rate-limit",
    type=click.Choice(get_args(Plan)),
    default="off",
    show_default=True,
    help="Throttle as Novu does on this plan.",
)
@click.option(
    "--idempotency/--no-idempotency",
    default=False,
    show_default=True,
    help="Heed the Idempotency-Key header, as Novu does where it is switched on.",
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what was accepted in this file, and read it back at the next start.",
)
def novu_standin(
    host: str, port: int, secret_key: str | None, rate_limit: Plan, *, idempotency: bool, ledger: Path | None
) -> None:
    """Run a stand-in for Novu that delivers nothing to anybody.

    It answers triggers, subscribers and topics as Novu's API does, and remembers what each
    subscriber would have been sent. The first line that it prints is its address: set NOVU_API_URL
    to it. NOVU_SECRET_KEY may be anything, unless --secret-key is given.

    \b
    Open the address in a browser to read what arrived. For tests there is a control path:
      GET    /_standin/ledger        what was accepted and delivered
      GET    /_standin/stats         counts, duplicates among them
      POST   /_standin/faults        script what goes wrong; GET, DELETE
      PATCH  /_standin/switches      rate limits, idempotency, repeats
      PUT    /_standin/workflows/ID  unknown, inactive, delayed, schema
      POST   /_standin/deliver       deliver what was delayed
      POST   /_standin/reset         forget everything

    It runs until it gets Ctrl+C or SIGTERM.
    """  # noqa: D301 - Click wants a real backspace
    environment = Environment(
        Switches(secret_key=secret_key, rate_limit=rate_limit, idempotency=idempotency), ledger
    )
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    click.echo(address_of(listener))
    with contextlib.suppress(KeyboardInterrupt):
        serve(environment, listener)
