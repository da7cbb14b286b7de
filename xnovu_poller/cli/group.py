"""`xnovu`: the group of all commands, and how errors become exit codes."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from typing_extensions import override

from xnovu_poller.cli.version import describe_version
from xnovu_poller.errors import ConfigError, SchemaUnfit, XnovuError

EXIT_SETTINGS = 2
EXIT_SCHEMA = 3


class Place(NamedTuple):
    """Where a command is defined, and its line in `xnovu --help`, which imports no command."""

    module: str
    attribute: str
    help: str


PLACES: Mapping[str, Place] = {
    "api": Place(
        "xnovu_poller.cli.api", "api", "Serve the API over HTTP, and make, list and revoke its keys"
    ),
    "config": Place(
        "xnovu_poller.cli.config",
        "config",
        "Print each setting as a worker would read it here, and where its value comes from; no secrets",
    ),
    "db": Place(
        "xnovu_poller.cli.db", "db", "Create, upgrade, show or remove the schema, or adopt a copied database"
    ),
    "demo": Place(
        "xnovu_poller.cli.demo", "demo", "Watch the whole system work on this machine, in half a minute"
    ),
    "dev": Place(
        "xnovu_poller.cli.dev",
        "dev",
        "Run PostgreSQL, Temporal, a Novu stand-in, the API and the operator's page until Ctrl-C",
    ),
    "docker": Place("xnovu_poller.cli.docker", "docker", "Build, run and push the image, with tags from git"),
    "notification": Place(
        "xnovu_poller.cli.notification",
        "notification",
        "List notifications, show what became of them and why, retract and revive them",
    ),
    "doctor": Place(
        "xnovu_poller.cli.doctor",
        "doctor",
        "Check settings, PostgreSQL, Temporal and Novu, and print how to mend each fault",
    ),
    "inspect": Place(
        "xnovu_poller.cli.inspection",
        "inspect",
        "Answer a question about the database: backlog, tenants, locks, dead rows, slow statements",
    ),
    "novu-standin": Place(
        "xnovu_poller.cli.novu_standin", "novu_standin", "Run a stand-in for Novu that sends nothing"
    ),
    "pause": Place(
        "xnovu_poller.cli.pause",
        "pause_",
        "Hold notifications back: of an enterprise, of a workflow, of one workflow of an enterprise, or all",
    ),
    "resume": Place(
        "xnovu_poller.cli.pause", "resume", "End a pause, so that its notifications are claimed at once"
    ),
    "rules": Place(
        "xnovu_poller.cli.rules",
        "rules",
        "List, preview, check, fire and pause rules",
    ),
    "templates": Place(
        "xnovu_poller.cli.templates",
        "templates",
        "Check, show and move templates",
    ),
    "temporal": Place(
        "xnovu_poller.cli.temporal", "temporal", "Prepare a namespace of Temporal for the workers"
    ),
    "worker": Place(
        "xnovu_poller.cli.worker", "worker", "Run a worker that claims and delivers notifications"
    ),
    "workflows": Place(
        "xnovu_poller.cli.workflows",
        "workflows",
        "List workflows, and make Novu's workflows follow the rows",
    ),
}


ALIASES: Mapping[str, str] = {"daemon": "worker"}
"""Earlier names of commands."""


class LazyCommands(MutableMapping[str, click.Command]):
    """The commands by name, each imported the first time that it is looked up.

    `xnovu --version` and `xnovu worker start` then load neither `dev/` nor the other commands.
    """

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._commands: dict[str, click.Command | None] = dict.fromkeys(places)

    @override
    def __getitem__(self, name: str) -> click.Command:
        command = self._commands[name]
        if command is None:
            place = self._places[name]
            command = self._commands[name] = getattr(import_module(place.module), place.attribute)
        return command

    @override
    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    @override
    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    @override
    def __len__(self) -> int:
        return len(self._commands)


class CommandGroup(click.Group):
    """Lists the commands without importing them, and prints one sentence for each of our errors."""

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, PLACES[name].help) for name in sorted(PLACES)])

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # The earlier system wrote `docker:build`.
        name, colon, below = ALIASES.get(cmd_name, cmd_name).partition(":")
        command = super().get_command(ctx, name)
        if not colon:
            return command
        return command.get_command(ctx, below) if isinstance(command, click.Group) else None

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo("xnovu: settings:", err=True)
            for fault in error.faults:
                click.echo(f"  {fault}", err=True)
            ctx.exit(EXIT_SETTINGS)
        except SchemaUnfit as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(EXIT_SCHEMA)
        except XnovuError as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(1)


def _print_version(ctx: click.Context, _parameter: click.Parameter, chosen: bool) -> None:  # noqa: FBT001 - Click's form
    if chosen:
        click.echo(f"xnovu, version {describe_version()}")
        ctx.exit()


@click.group(
    cls=CommandGroup,
    commands=LazyCommands(PLACES),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and the commit, and exit.",
)
def xnovu() -> None:
    """Turn committed PostgreSQL rows into Novu notifications, exactly once, through Temporal.

    You configure it by environment variables; `docs/settings.md` lists them all. To try the whole
    system on this machine, run `xnovu demo`, or `xnovu dev` to keep it running.
    """
