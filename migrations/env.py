"""Runs the migrations on the database of DATABASE_URL, one runner at a time."""

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from xnovu_poller.errors import ConfigError, SchemaUnreleased
from xnovu_poller.models import Base
from xnovu_poller.models.base import SCHEMA
from xnovu_poller.settings import load_database
from xnovu_poller.store.engine import reason
from xnovu_poller.store.schema import COMPARED, lacking_right, refuse_unreleased

# Replicas that start together all migrate; the others wait for the first.
LOCK = sa.text("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")


def migrate(connection: sa.Connection) -> None:
    """Run the asked revisions; the bookkeeping table lives beside ours, and goes with them."""
    connection.execute(LOCK)
    # IF NOT EXISTS would ask for the right to make a schema also where there is one.
    made = not sa.inspect(connection).has_schema(SCHEMA)
    if made:
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
        autogenerate_plugins=COMPARED,
    )
    before = context.get_context().get_current_revision()
    refuse_unreleased(before)
    with context.begin_transaction():
        context.run_migrations()
    # A schema of this name that was here before us is not ours to drop.
    if (made or before) and context.get_context().get_current_revision() is None:
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
    except SchemaUnreleased as error:
        raise CommandError(str(error)) from error
    except sa.exc.OperationalError as error:
        raise CommandError(f"database: does not answer ({reason(error.orig)}); check DATABASE_URL") from None
    except sa.exc.ProgrammingError as error:
        if (lacking := lacking_right(error.orig)) is None:
            raise
        raise CommandError(f"the login may not migrate this database: {lacking}") from error
    finally:
        engine.dispose()


run()
