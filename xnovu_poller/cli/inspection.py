"""`xnovu inspect`: one question about the database each, answered by reading only."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import NOTHING, json_option, print_json, print_table
from xnovu_poller.store import inspection
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.inspection import Row

_LONGEST = 100

Ask = Callable[[Engine], Awaitable[Sequence[Row]]]


@click.group
def inspect() -> None:
    """Answer a question about the database: backlog, tenants, locks, dead rows, slow statements.

    Each command needs DATABASE_URL only, reads in a transaction that cannot write, and ends after 30 seconds. Grant
    pg_monitor to the login, or it sees the state of its own sessions only.
    """


@inspect.command
@json_option
def backlog(*, as_json: bool) -> None:
    """Show what waits: how many notifications, by loop and state, and since when the oldest is due.

    PAUSED counts those that would be due, and LATER those that are not due yet. Of those in flight, DUE counts lapsed leases, which the rescue takes over.
    """
    _answer(inspection.read_backlog, as_json=as_json)


@inspect.command
@json_option
def tenants(*, as_json: bool) -> None:
    """Show who waits: for each enterprise its due rows, what it got in the last hour, its share of that, and its limits.

    It shows at most 100 enterprises, those with most due rows first. The last hour is counted among the newest 100,000
    notifications.
    """
    _answer(inspection.read_tenants, as_json=as_json)


@inspect.command
@json_option
def locks(*, as_json: bool) -> None:
    """Show who blocks whom: the sessions that wait for a lock on our tables, and those that hold locks on them.

    A line without a waiting session is a session that only holds a lock. Workers skip the rows that it has locked.
    """
    _answer(inspection.read_locks, as_json=as_json)


@inspect.command
@json_option
def bloat(*, as_json: bool) -> None:
    """Show tables and indexes by size, their dead rows, and when vacuum came last."""
    _answer(inspection.read_bloat, as_json=as_json)


@inspect.command
@json_option
def slow(*, as_json: bool) -> None:
    """Show our statements that took longest in all, by pg_stat_statements; without that extension, what runs now."""
    _answer(inspection.read_slow, as_json=as_json)


def _answer(ask: Ask, *, as_json: bool) -> None:
    rows = asyncio.run(_with_database(ask))
    if as_json:
        print_json(rows)
    elif rows:
        head = [name.replace("_", " ").upper() for name in rows[0]]
        print_table(head, [[_show(value) for value in row.values()] for row in rows], _LONGEST)
    else:
        click.echo("Nothing.")


async def _with_database(ask: Ask) -> Sequence[Row]:
    async with database() as engine:
        return await ask(engine)


def _show(value: object) -> str:
    if value is None or value == "":
        return NOTHING
    return f"{value:.1f}" if isinstance(value, float) else str(value)
