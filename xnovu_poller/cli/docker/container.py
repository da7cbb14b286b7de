"""`xnovu docker run` and `stop`."""

from pathlib import Path

import click

from xnovu_poller.cli.docker import engine
from xnovu_poller.cli.docker.tags import IMAGE, read_checkout

CONTAINER = "xnovu"
_ENV_FILE = Path(".env")
_LISTENS = ("--env=WORKER_HEALTH_HOST=0.0.0.0", "--env=WORKER_HEALTH_PORT=3001")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "-d",
    "--detach",
    is_flag=True,
    help="Run it in the background, as `xnovu`, and start it again if it ends.",
)
@click.option("-t", "--tag", metavar="TAG", help="Run this image.  [default: that of this checkout]")
@click.option(
    "-p",
    "--port",
    type=click.IntRange(1, 65535),
    default=3001,
    show_default=True,
    help="The port of this machine, only for this machine, that leads to the worker's port 3001.",
)
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of settings, a line for each, without quotation marks.  [default: .env, if it exists]",
)
@engine.dry_run_option
@click.argument("command", nargs=-1)
def run(
    tag: str | None,
    port: int,
    env_file: Path | None,
    command: tuple[str, ...],
    *,
    detach: bool,
    dry_run: bool,
) -> None:
    """Run the image in a container, as a worker.

    A COMMAND is another command of `xnovu`, as in `xnovu docker run db upgrade`. In a container, localhost is the
    container itself: give the addresses of the servers as other machines see them.

    Exit codes: those of the command in the container; 1 if there is no image or no `docker`.
    """
    chosen = env_file or (_ENV_FILE if _ENV_FILE.is_file() else None)
    words = [
        "run",
        *(["--detach", f"--name={CONTAINER}", "--restart=unless-stopped"] if detach else ["--rm"]),
        "--init",
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true",
        *([f"--env-file={chosen}"] if chosen else []),
        # These win over the file, so that the published port leads to the worker.
        *([] if command else [*_LISTENS, f"--publish=127.0.0.1:{port}:3001"]),
        f"{IMAGE}:{tag or read_checkout(Path()).local_tag}",
        *command,
    ]
    if dry_run:
        engine.print_command(*words)
    else:
        engine.become(words)


@click.command
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.IntRange(0),
    default=40,
    show_default=True,
    help="Kill it after this long; a worker needs at most NOVU_TIMEOUT_MS and 30 s.",
)
@engine.dry_run_option
def stop(wait: int, *, dry_run: bool) -> None:
    """Stop and remove the container that `xnovu docker run --detach` started.

    The worker finishes its running deliveries first.

    Exit codes: 0, or 1 if there is no such container.
    """
    for words in (("stop", "-t", str(wait), CONTAINER), ("rm", CONTAINER)):
        if dry_run:
            engine.print_command(*words)
        else:
            engine.run(*words)
