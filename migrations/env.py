"""Run the migrations on the database of DATABASE_URL; only one process migrates at a time."""

from collections.abc import Collection

import sqlalchemy as sa
from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError

from xnovu_poller.errors import ConfigError, StoreError
from xnovu_poller.models import Base
from xnovu_poller.models.base import SCHEMA
from xnovu_poller.settings import load_database
from xnovu_poller.store import migrating, schema
from xnovu_poller.store.engine import connect_for_migrations
from xnovu_poller.store.session import unavailable


class Run:
    """A command of Alembic on one database."""

    def __init__(self, engine: sa.Engine, connection: sa.Connection) -> None:
        self.engine, self.connection = engine, connection
        self.made = self.emptied = False

    def run(self) -> None:
        """Run the command: read, or migrate in turn."""
        context.configure(
            connection=self.connection,
            target_metadata=Base.metadata,
            version_table_schema=SCHEMA,
            include_schemas=True,
            include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
            autogenerate_plugins=schema.COMPARED,
            # Each migration is whole or not there, and one of them builds indexes outside of a transaction.
            transaction_per_migration=True,
            on_version_apply=self.note,
        )
        if context.get_context().opts.get("dont_mutate"):
            schema.refuse_unknown(*schema.read_revision(self.connection))
            context.run_migrations()
            return
        found = schema.read_revision(self.connection)
        schema.refuse_unknown(*found)
        if found[0] == schema.required_revision() == context.get_revision_argument():
            # A login that may not migrate, such as a worker's, learns so that nothing is left to do.
            return
        self.made = migrating.make_version_table(self.connection)
        try:
            with migrating.turn(self.engine):
                self.migrate()
        finally:
            # Drop what our migrations or this run made, but nothing because of a stamp.
            self.connection.rollback()
            if self.emptied or (self.made and context.get_context().get_current_revision() is None):
                migrating.drop_schema(self.connection)

    def migrate(self) -> None:
        """Run the revisions, each again until it gets its locks."""
        schema.refuse_unknown(*schema.read_revision(self.connection))
        self.connection.commit()
        migrating.report_notices(self.connection)
        with migrating.watched(self.engine, self.connection) as blockers:
            migrating.try_for_locks(self.attempt, blockers)

    def attempt(self) -> None:
        """Run the revisions that are left; the next attempt goes on where it failed."""
        self.connection.rollback()
        self.connection.execute(migrating.SETTINGS)
        self.connection.commit()
        with context.begin_transaction():
            context.run_migrations()
        self.connection.commit()

    def note(
        self,
        ctx: MigrationContext,
        step: MigrationInfo,
        heads: Collection[str],
        run_args: object,  # noqa: ARG002 - Alembic names it
    ) -> None:
        """Write from which revision on a version works with the new revision, in the same transaction.

        If a downgrade has dropped our last table, note that. A stamp drops nothing.
        """
        self.emptied = step.is_migration and not heads
        for revision in heads:
            ctx.execute(migrating.write_compatible_from(revision, schema.compatible_from(revision)))


def run() -> None:
    """Connect to the URL that the caller gave, or to the environment's, and run the command."""
    if context.is_offline_mode():
        raise CommandError("migrations need a live database, because they look up its roles and version")
    given = context.config.attributes.get("url")
    try:
        url = given or load_database().sqlalchemy_url
    except ConfigError as error:
        raise CommandError(str(error)) from error
    engine = connect_for_migrations(url)
    try:
        with engine.connect() as connection:
            Run(engine, connection).run()
    except (ConfigError, StoreError) as error:
        raise CommandError(str(error)) from error
    except sa.exc.DatabaseError as error:
        if (refusal := migrating.refusal_of(error.orig)) is not None:
            raise CommandError(refusal) from error
        refused = unavailable(error.orig)
        raise CommandError(str(refused)) from refused
    finally:
        engine.dispose()


run()
