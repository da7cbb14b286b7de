"""`xnovu dev`: everything that a worker needs, on one machine, until Ctrl-C."""

import shlex
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from xnovu_poller.dev.api import ENTERPRISE
from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError


@click.command("dev")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".xnovu"),
    show_default=True,
    help="The folder that keeps rows, workflows, deliveries and logs.",
)
@click.option("--fresh", is_flag=True, help="Delete all rows, workflows and deliveries first.")
def dev(folder: Path, *, fresh: bool) -> None:
    """Run PostgreSQL, Temporal, a Novu stand-in, the API and the operator's page until Ctrl-C.

    Everything runs on this machine, without root and without Docker. The command prints the settings that
    you need to run a worker against it. Your rows are still there when you start it again.
    """
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    stack = Stack(folder, with_api=True)
    try:
        with suppress(KeyboardInterrupt):
            with console.status("Starting") as status:
                stack.start(fresh=fresh, report=status.update)
            console.print(_welcome(stack), markup=False, highlight=False, soft_wrap=True)
            stack.watch()
    except XnovuError as error:
        raise click.ClickException(str(error)) from error
    finally:
        with console.status("Stopping"):
            stack.stop()
    console.print("Everything is stopped. The rows are kept.")


def _welcome(stack: Stack) -> str:
    assert stack.api  # noqa: S101 - the stack was made with it
    pasted = {**stack.environment, "XNOVU_API_KEY": stack.api.key}
    exports = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in pasted.items())
    return f"""Everything is running. Ctrl-C stops it and keeps the rows in {stack.folder}.

  Operator's page  {stack.api.url}  password: {stack.api.password}
  API              {stack.api.url}/api/docs
  Novu stand-in    {stack.standin_url}
  Temporal UI      {stack.temporal_ui_url}
  Temporal         {stack.environment["TEMPORAL_ADDRESS"]}
  DATABASE_URL     {stack.environment["DATABASE_URL"]}

DATABASE_URL has the worker's login. As PostgreSQL's superuser, use

  {stack.owner_url}

To run a worker, paste this into another terminal. The key opens the API for the enterprise {ENTERPRISE}.

{exports}
  xnovu worker start
"""


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM like Ctrl-C."""
    raise KeyboardInterrupt
