"""Runs the migrations on the database of DATABASE_URL, one runner at a time."""

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from xnovu_poller.errors import ConfigError
from xnovu_poller.models import Base
from xnovu_poller.models.base import SCHEMA
from xnovu_poller.settings import load_database

# Replicas that start together all migrate; the others wait for the first.
LOCK = sa.text("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")


def migrate(connection: sa.Connection) -> None:
    """Run the asked revisions; the bookkeeping table lives beside ours, and goes with them."""
    connection.execute(LOCK)
    connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
    )
    with context.begin_transaction():
        context.run_migrations()
    if context.get_context().get_current_revision() is None:
        connection.execute(sa.text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    connection.commit()


def run() -> None:
    """Connect with the given URL, or the environment's."""
    if context.is_offline_mode():
        raise CommandError("migrations need a live database: roles and versions are looked up in it")
    given = context.config.attributes.get("url")
    try:
        url = given or load_database().sqlalchemy_url
    except ConfigError as error:
        raise CommandError(str(error)) from error
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"application_name": "xnovu:migrations"}
    )
    try:
        with engine.connect() as connection:
            migrate(connection)
    except sa.exc.OperationalError as error:
        raise CommandError(
            f"database: does not answer ({type(error.orig).__name__}); check DATABASE_URL"
        ) from None
    finally:
        engine.dispose()


run()
