"""`xnovu db`: the schema of the database."""

import click

from xnovu_poller.settings import load_database
from xnovu_poller.store import schema


@click.group
def db() -> None:
    """Make, change or take away the schema `notify` in DATABASE_URL's database."""


@db.command
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to REVISION, by default the newest; the same as `alembic upgrade head`.

    Replicas may all run it at once: one migrates, the others wait. The roles xnovu_tenant and
    xnovu_worker are made if the login may make roles; otherwise the statements are printed that an
    administrator has to run.
    """
    schema.upgrade(load_database().sqlalchemy_url, revision)
    click.echo(f"The database is at {schema.wanted() if revision == 'head' else revision}.")


@db.command
@click.argument("revision")
@click.confirmation_option(prompt="This takes tables away, with all their rows. Go on?")
def downgrade(revision: str) -> None:
    """Take the database back to REVISION; `base` takes the whole schema away."""
    schema.downgrade(load_database().sqlalchemy_url, revision)
    click.echo(f"The database is at {revision}.")
