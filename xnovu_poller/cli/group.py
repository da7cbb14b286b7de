"""`xnovu`: the group of all commands, and how errors become exit codes."""

from typing import Any

import click
from typing_extensions import override

from xnovu_poller import __version__
from xnovu_poller.cli.db import db
from xnovu_poller.cli.demo import demo
from xnovu_poller.cli.dev import dev
from xnovu_poller.cli.notification import notification
from xnovu_poller.cli.novu_standin import novu_standin
from xnovu_poller.cli.rules import rules
from xnovu_poller.cli.worker import worker
from xnovu_poller.errors import ConfigError, SchemaBehind, XnovuError

EXIT_SETTINGS = 2
EXIT_SCHEMA = 3


class _Edge(click.Group):
    """Prints one clear sentence for each of our errors."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo("xnovu: settings:", err=True)
            for fault in error.faults:
                click.echo(f"  {fault}", err=True)
            ctx.exit(EXIT_SETTINGS)
        except SchemaBehind as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(EXIT_SCHEMA)
        except XnovuError as error:
            click.echo(f"xnovu: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Edge, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xnovu")
def xnovu() -> None:
    """Turn committed PostgreSQL rows into Novu notifications, exactly once, through Temporal.

    Settings come from the environment: see `docs/settings.md`. Run `xnovu dev` to try the whole system on
    this machine.
    """


for _command in (worker, db, notification, rules, demo, dev, novu_standin):
    xnovu.add_command(_command)
