"""`xnovu dev`: everything on one machine, until Ctrl-C."""

import shlex
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError


@click.command("dev")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".xnovu"),
    show_default=True,
    help="Where rows, workflows, deliveries and logs are kept.",
)
@click.option("--fresh", is_flag=True, help="Forget all rows, workflows and deliveries first.")
def dev(folder: Path, *, fresh: bool) -> None:
    """Run PostgreSQL, Temporal and a stand-in for Novu on this machine, until Ctrl-C."""
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    stack = Stack(folder)
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
    console.print("All is stopped; the rows are kept.")


def _welcome(stack: Stack) -> str:
    exports = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in stack.environment.items())
    return f"""All is up. Ctrl-C stops it, and keeps what is in {stack.folder}.

  DATABASE_URL   {stack.environment["DATABASE_URL"]}
  Temporal       {stack.environment["TEMPORAL_ADDRESS"]}
  Temporal UI    {stack.temporal_ui_url}
  Novu stand-in  {stack.standin_url}

To run a worker against it, in another terminal:

{exports}
  xnovu worker start
"""


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C."""
    raise KeyboardInterrupt
