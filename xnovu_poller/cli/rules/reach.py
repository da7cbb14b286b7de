"""What the commands on rules reach for: rows, and Temporal's schedules."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from xnovu_poller import log
from xnovu_poller.service import parts
from xnovu_poller.settings import load_database, load_temporal
from xnovu_poller.store import identity, rules, schema
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal import worker
from xnovu_poller.temporal.rules.schedules import Schedules

Answer = TypeVar("Answer")

RULE_ID = click.IntRange(1, 2**63 - 1)

json_too = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@dataclass(frozen=True, slots=True)
class Reached:
    """Rows, and the schedules that follow them."""

    engine: Engine
    client: worker.Connection
    schedules: Schedules


def run(asked: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait for an answer."""
    return asyncio.run(asked)


@asynccontextmanager
async def rows() -> AsyncIterator[Engine]:
    """Open the database as the worker does, whose rights suffice.

    Raises:
        ConfigError: DATABASE_URL is missing or wrong.
        SchemaBehind: the database is not at our migration.
        StoreUnavailable: it does not answer.
    """
    engine = connect(load_database().sqlalchemy_url, part="cli", size=1)
    try:
        await schema.check(engine)
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def schedules() -> AsyncIterator[Reached]:
    """Open the database and Temporal.

    Raises:
        ConfigError: a setting of either is missing or wrong.
        StoreError: as `rows`, or the database is a copy.
        HandoffError: Temporal does not answer, or will not let us in.
    """
    settings = load_temporal()
    # What these parts would log to an operator is told by the command itself.
    log.configure("error", "console")
    async with rows() as engine:
        whose = await identity.deployment(engine)
        client = await worker.connect(parts.address(settings))
        yield Reached(
            engine,
            client,
            Schedules(
                client,
                deployment=whose.id,
                task_queue=settings.temporal_task_queue,
                searchable=True,
            ),
        )


async def rule(engine: Engine, rule_id: int) -> Rule:
    """Read a rule.

    Raises:
        click.ClickException: there is none of this id.
    """
    found = await rules.read(engine, rule_id)
    if found is None:
        raise none_of(rule_id)
    return found


def none_of(rule_id: int) -> click.ClickException:
    """Say that there is no such rule."""
    return click.ClickException(
        f"rule {rule_id}: there is none of this id; `xnovu rules list` tells which are"
    )
