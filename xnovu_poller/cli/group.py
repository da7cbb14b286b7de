"""`xnovu`: the group of all commands, and how errors become exit codes."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from typing_extensions import override

from xnovu_poller import __version__
from xnovu_poller.errors import ConfigError, SchemaBehind, SchemaUnreleased, XnovuError

EXIT_SETTINGS = 2
EXIT_SCHEMA = 3


class Place(NamedTuple):
    """Where a command is defined, and its line in `xnovu --help`, which imports no command."""

    module: str
    attribute: str
    help: str


PLACES: Mapping[str, Place] = {
    "db": Place(
        "xnovu_poller.cli.db", "db", "Create, upgrade or remove the schema, or adopt a copied database"
    ),
    "demo": Place(
        "xnovu_poller.cli.demo", "demo", "Watch the whole system work on this machine, in half a minute"
    ),
    "dev": Place("xnovu_poller.cli.dev", "dev", "Run PostgreSQL, Temporal and a Novu stand-in until Ctrl-C"),
    "notification": Place(
        "xnovu_poller.cli.notification",
        "notification",
        "Requeue notifications that have ended: DEAD or RETRACTED",
    ),
    "novu-standin": Place(
        "xnovu_poller.cli.novu_standin", "novu_standin", "Run a stand-in for Novu that sends nothing"
    ),
    "rules": Place(
        "xnovu_poller.cli.rules",
        "rules",
        "List, preview, check, fire and pause rules",
    ),
    "worker": Place(
        "xnovu_poller.cli.worker", "worker", "Run a worker that claims and delivers notifications"
    ),
}


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
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo("xnovu: settings:", err=True)
            for fault in error.faults:
                click.echo(f"  {fault}", err=True)
            ctx.exit(EXIT_SETTINGS)
        except (SchemaBehind, SchemaUnreleased) as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(EXIT_SCHEMA)
        except XnovuError as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(1)


@click.group(
    cls=CommandGroup,
    commands=LazyCommands(PLACES),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="xnovu")
def xnovu() -> None:
    """Turn committed PostgreSQL rows into Novu notifications, exactly once, through Temporal.

    You configure it by environment variables; `docs/settings.md` lists them all. To try the whole
    system on this machine, run `xnovu demo`, or `xnovu dev` to keep it running.
    """
