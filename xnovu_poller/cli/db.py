"""`xnovu db`: the schema of the database, and which deployment a copied database is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import json_option, print_json
from xnovu_poller.settings import load_database
from xnovu_poller.store import identity, plan, schema
from xnovu_poller.store.engine import Engine

Answer = TypeVar("Answer")


@click.group
def db() -> None:
    """Create, upgrade, show or remove the schema, or adopt a copied database.

    All commands work on the schema `notify` of the database that DATABASE_URL names.
    """


@db.command
@click.argument("revision", default="head")
@click.option(
    "--plan", "only_plan", is_flag=True, help="Print the SQL, its locks and the sessions in the way."
)
@click.option("--sql", "only_sql", is_flag=True, help="Print the SQL and its locks, and connect to nothing.")
@click.option(
    "--from", "start", metavar="REVISION", help="Where --sql begins.  [default: base, an empty database]"
)
def upgrade(revision: str, *, only_plan: bool, only_sql: bool, start: str | None) -> None:
    """Upgrade the database to REVISION, by default the newest.

    This is the same as `alembic upgrade head`. All replicas may run it at once: one migrates, the others
    wait. If a newer version has migrated the database and this version works with it, nothing is changed.
    It creates the roles of workers, producers and tenants if your login may create roles; otherwise it
    prints the statements that an administrator has to run. --plan and --sql change nothing.
    """
    if only_plan and only_sql:
        raise click.UsageError("choose --plan or --sql")
    if start is not None and not only_sql:
        raise click.UsageError("--from is only for --sql; the database has where its upgrade begins")
    if only_sql:
        click.echo(plan.script(start or "base", revision))
    elif only_plan:
        click.echo(plan.plan(load_database().sqlalchemy_url, revision))
    else:
        click.echo(f"The database is at {schema.upgrade(load_database().sqlalchemy_url, revision)}.")


@db.command
@json_option
def current(*, as_json: bool) -> None:
    """Print the revision of the database, and the revision that this version needs.

    Exit codes: 0 if this version works with the database; otherwise 3, with a sentence.
    """
    found = asyncio.run(_with_database(schema.describe))
    if as_json:
        print_json(found)
    else:
        click.echo(f"The database is at {found['revision']}; this version needs {found['required']}.")


@db.command
@click.argument("revision")
@click.confirmation_option(prompt="This drops tables with all their rows. Continue?")
def downgrade(revision: str) -> None:
    """Downgrade the database to REVISION; `base` removes the whole schema."""
    schema.downgrade(load_database().sqlalchemy_url, revision)
    click.echo(f"The database is at {revision}.")


@db.command
def new_deployment() -> None:
    """Turn a copied database into a deployment of its own.

    Use this if the original keeps running. Run it in the copy, never in the original, with the worker's
    environment (the login is a member of xnovu_worker), while no worker is connected.

    In one transaction the copy gets a new deployment id, and every notification that is not SENT gets a
    new transaction id. The original still sends its own under the old ids, and Novu sees two unrelated
    notifications: BOTH will be sent. So first expire, retract or delete what the copy must not send.
    Notifications that were PROCESSING become due again. The copy's rules get schedules of their own and
    fire beside the original's: first deactivate those that must not.
    """
    made = asyncio.run(_with_database(identity.new_deployment))
    click.echo(
        f"This database is now deployment {_short(made.id)}; {_short(made.former)} remains the original."
    )
    click.echo(f"Notifications that are not sent have new transaction ids: {made.renamed}.")
    click.echo(f"Of these, the original was sending {made.taken_back}, now due here again.")


@db.command
def keep_deployment() -> None:
    """Let a copied database keep the deployment id of the original that it replaces.

    Use this if the original is gone: after a move, an upgrade by dump and restore, a restored backup, or a
    failover that lost transactions. Run it in the copy with the worker's environment (the login is a
    member of xnovu_worker). The original must not run any more: two databases with one id take each
    other's workflows. Transaction ids stay, so Novu drops what the original has already sent.
    """
    kept = asyncio.run(_with_database(identity.keep_deployment))
    click.echo(f"Deployment {_short(kept.id)} now lives in this database.")


async def _with_database(call: Callable[[Engine], Awaitable[Answer]]) -> Answer:
    async with database() as engine:
        return await call(engine)


def _short(deployment: UUID) -> str:
    return deployment.hex[:8]
