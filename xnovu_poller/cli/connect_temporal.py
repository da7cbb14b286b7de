"""Open the database and Temporal for a command; apart from `connect.py`, because Temporal's SDK takes long to load."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from xnovu_poller import log
from xnovu_poller.cli.connect import database
from xnovu_poller.settings import load_temporal
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.client import Client
from xnovu_poller.temporal.rules.fire import open_schedules
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.shared import SharedClient


@dataclass(frozen=True, slots=True)
class Connected:
    """The connections of a command: the database, Temporal, and the rules' schedules there."""

    engine: Engine
    client: Client
    schedules: RuleSchedules


@asynccontextmanager
async def database_and_temporal() -> AsyncIterator[Connected]:
    """Connect to the database and to Temporal.

    Raises:
        ConfigError: a setting is missing or wrong.
        StoreError: as `database`, or the database is a copy.
        TemporalError: Temporal does not answer, or refuses the login.
    """
    temporal = SharedClient(load_temporal())
    # The command reports failures itself, so these rooms log only errors.
    log.configure("error", "console")
    async with database() as engine:
        schedules = await open_schedules(engine, temporal)
        yield Connected(engine, await temporal.lend(), schedules)
