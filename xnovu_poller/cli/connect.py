"""Open what a command needs: the database, or the database and Temporal. No other file of `cli/` connects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from xnovu_poller import log
from xnovu_poller.settings import load_database, load_temporal
from xnovu_poller.store import identity, schema
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal.client import Client
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes


@dataclass(frozen=True, slots=True)
class Connected:
    """The connections of a command: the database, Temporal, and the rules' schedules there."""

    engine: Engine
    client: Client
    schedules: RuleSchedules


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


@asynccontextmanager
async def database_and_temporal() -> AsyncIterator[Connected]:
    """Connect to the database and to Temporal.

    Raises:
        ConfigError: a setting is missing or wrong.
        StoreError: as `database`, or the database is a copy.
        TemporalError: Temporal does not answer, or refuses the login.
    """
    settings = load_temporal()
    # The command reports failures itself, so these rooms log only errors.
    log.configure("error", "console")
    async with database() as engine:
        deployment = await identity.read_deployment(engine)
        client = await temporal.connect(temporal.address_of(settings))
        schedules = RuleSchedules(
            client,
            deployment=deployment.id,
            task_queue=settings.temporal_task_queue,
            search=SearchAttributes(registered=True),
        )
        yield Connected(engine, client, schedules)
