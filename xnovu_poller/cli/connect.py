"""Open the database for a command. Only this file and `connect_temporal.py` connect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xnovu_poller.settings import load_database
from xnovu_poller.store import schema
from xnovu_poller.store.engine import Engine, connect


@asynccontextmanager
async def database() -> AsyncIterator[Engine]:
    """Connect with the worker's role, whose rights are enough; row-level security would hide rows from the owner.

    Raises:
        ConfigError: DATABASE_URL is missing or wrong.
        SchemaBehind: the database is not at our migration.
        StoreUnavailable: PostgreSQL does not answer.
    """
    engine = connect(load_database().sqlalchemy_url, part="cli", size=1)
    try:
        await schema.check(engine)
        yield engine
    finally:
        await engine.dispose()
