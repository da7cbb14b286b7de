"""`xnovu db`: the schema of the database, and whose it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from xnovu_poller.settings import load_database
from xnovu_poller.store import identity, schema
from xnovu_poller.store.engine import Engine, connect

Answer = TypeVar("Answer")


@click.group
def db() -> None:
    """Make, change or take away the schema `notify` in DATABASE_URL's database, or say whose it is."""


@db.command
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to REVISION, by default the newest; the same as `alembic upgrade head`.

    Replicas may all run it at once: one migrates, the others wait. The roles xnovu_tenant and
    xnovu_worker are made if the login may make roles; otherwise the statements are printed that an
    administrator has to run.
    """
    schema.upgrade(load_database().sqlalchemy_url, revision)
    click.echo(f"The database is at {schema.required_revision() if revision == 'head' else revision}.")


@db.command
@click.argument("revision")
@click.confirmation_option(prompt="This takes tables away, with all their rows. Go on?")
def downgrade(revision: str) -> None:
    """Take the database back to REVISION; `base` takes the whole schema away."""
    schema.downgrade(load_database().sqlalchemy_url, revision)
    click.echo(f"The database is at {revision}.")


@db.command
def new_deployment() -> None:
    """Make a copy, beside whose original it is to live, a deployment of its own.

    Run it in the copy, in the worker's environment (the login is a member of xnovu_worker), while no worker
    is connected; never in the original. It gives, in one transaction, a new deployment id, and new
    transaction ids to all notifications that are not SENT: the original goes on to send its own under the
    old ones, and to Novu the two have nothing to do with each other. Both will be sent: expire, retract or
    delete first what the copy is not to send. What was PROCESSING is due again. Its rules get schedules of
    their own and fire beside the original's: deactivate first those that are not to.
    """
    made = asyncio.run(_in_database(identity.new_deployment))
    click.echo(f"This database is deployment {_short(made.id)} now; {_short(made.former)} is the original's.")
    click.echo(f"{made.renamed} notifications that are not sent got new transaction ids,")
    click.echo(f"of which {made.taken_back} were in the original's hands and are due here again.")


@db.command
def keep_deployment() -> None:
    """Let a copy that has replaced its original keep the deployment id.

    Run it in the copy after a move, an upgrade by dump and restore, a backup restored in the original's place,
    or a failover that lost transactions; in the worker's environment (the login is a member of xnovu_worker).
    The original must not run any more: two databases of one id take each other's workflows.
    Transaction ids stay, so Novu drops what the original had sent already.
    """
    kept = asyncio.run(_in_database(identity.keep_deployment))
    click.echo(f"Deployment {_short(kept.id)} lives in this database now.")


async def _in_database(ask: Callable[[Engine], Awaitable[Answer]]) -> Answer:
    """Ask as the worker does, whose rights suffice; row-level security would hide rows from a bare owner."""
    engine = connect(load_database().sqlalchemy_url, part="cli", size=1)
    try:
        await schema.check(engine)
        return await ask(engine)
    finally:
        await engine.dispose()


def _short(deployment: UUID) -> str:
    return deployment.hex[:8]
