"""Run the migrations on the database of DATABASE_URL; only one process migrates at a time."""

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from xnovu_poller.errors import ConfigError, SchemaUnreleased
from xnovu_poller.models import Base
from xnovu_poller.models.base import SCHEMA
from xnovu_poller.settings import load_database
from xnovu_poller.store.engine import reason
from xnovu_poller.store.schema import COMPARED, dependents, lacking_right, refuse_unreleased

# If replicas start together, all of them migrate: the first runs, and the others wait for it.
LOCK = sa.text("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")


def migrate(connection: sa.Connection) -> None:
    """Run the requested revisions. Alembic's own table is in our schema, and is dropped with it."""
    connection.execute(LOCK)
    # CREATE SCHEMA IF NOT EXISTS would need the right to create a schema even if it exists.
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
    # Do not drop an empty schema that existed before our first migration.
    if (made or before) and context.get_context().get_current_revision() is None:
        drop_schema(connection)
    connection.commit()


def drop_schema(connection: sa.Connection) -> None:
    """Drop Alembic's own table, and the schema unless somebody else has objects in it."""
    connection.execute(sa.text(f"DROP TABLE IF EXISTS {SCHEMA}.alembic_version"))
    try:
        with connection.begin_nested():
            connection.execute(sa.text(f"DROP SCHEMA {SCHEMA}"))
    except sa.exc.DBAPIError as error:
        if dependents(error.orig) is None:
            raise


def refusal_of(error: BaseException | None) -> str | None:
    """Return why PostgreSQL refuses the migration and what to do; None if it is another error."""
    if found := dependents(error):
        return f"database: drop what depends on our schema first: {found}"
    if lacking := lacking_right(error):
        return f"the login may not migrate this database: {lacking}"
    return None


def run() -> None:
    """Connect to the URL that the caller gave, or to the environment's, and migrate."""
    if context.is_offline_mode():
        raise CommandError("migrations need a live database, because they look up its roles and version")
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
    except sa.exc.DatabaseError as error:
        if (refusal := refusal_of(error.orig)) is None:
            raise
        raise CommandError(refusal) from error
    finally:
        engine.dispose()


run()
