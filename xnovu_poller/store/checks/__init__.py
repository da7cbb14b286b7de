"""Check the database for problems that an administrator should fix, as far as the worker's role can see them.

`examine` is cheap: the chore `doctor` runs it again and again. `look` has more checks, and also returns those that find
nothing.
"""

import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from xnovu_poller.errors import StoreLocked
from xnovu_poller.store.checks import schema_objects
from xnovu_poller.store.checks.finding import USUAL, Bounds, Check, Finding
from xnovu_poller.store.checks.rights import RIGHTS
from xnovu_poller.store.checks.rows import find_unclaimed, list_rows
from xnovu_poller.store.checks.schema_objects import TRIGGERS
from xnovu_poller.store.checks.server import look_at_server
from xnovu_poller.store.checks.upkeep import list_settings, list_upkeep
from xnovu_poller.store.engine import Engine, acquire

__all__ = ["TRIGGERS", "USUAL", "Bounds", "Finding", "examine", "list_settings", "look", "look_at_server"]

Clock = Callable[[], float]

_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS float8)")


def _list_cheap(bounds: Bounds) -> list[Check]:
    return [*schema_objects.CHECKS, *list_upkeep(bounds), *list_rows(bounds)]


# One statement for all of them, because an idle worker executes few others.
_CHEAP = text(
    "\nUNION ALL\n".join(
        f"SELECT {number} AS number, sentence FROM ({check.statement.text}) AS found (sentence)"  # noqa: S608 - of our statements
        for number, check in enumerate(_list_cheap(USUAL))
    )
)


async def examine(engine: Engine, bounds: Bounds = USUAL, clock: Clock = time.time) -> list[Finding]:
    """Look for problems that are cheap to see; return an empty list if there are none.

    PostgreSQL hides how long another login's transaction lasts, unless `xnovu_worker` was granted `pg_read_all_stats`.
    It always shows for how many transactions a session holds back vacuum.

    Args:
        clock: this process's clock, in seconds since 1970.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        # If a table cannot be reached, the other checks would fail, or count nothing.
        if unreachable := await _find(connection, schema_objects.REACH):
            return unreachable
        checks = _list_cheap(bounds)
        values = {name: value for check in checks for name, value in check.values.items()}
        rows = (await connection.execute(_CHEAP, values)).all()
        findings = [finding for row in rows for finding in checks[row.number].judge([row.sentence])]
        findings.append(await _compare_clocks(connection, bounds, clock))
    findings += await find_unclaimed(engine, bounds)
    return [finding for finding in findings if not finding.is_sound]


async def _find(connection: Connection, check: Check) -> list[Finding]:
    """Make a check; return only problems."""
    findings = check.judge(await connection.scalars(check.statement, check.values))
    return [finding for finding in findings if not finding.is_sound]


async def look(engine: Engine, bounds: Bounds = USUAL, clock: Clock = time.time) -> list[Finding]:
    """Look for all problems; return the result of each check, whether it has found anything or not.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    checks = [
        *schema_objects.CHECKS,
        *RIGHTS,
        *list_upkeep(bounds),
        *list_settings(bounds),
        *list_rows(bounds),
    ]
    findings = await _judge(engine, schema_objects.REACH)
    if not findings[0].is_sound:
        return findings
    for check in checks:
        findings += await _judge(engine, check)
    async with acquire(engine) as connection:
        findings.append(await _compare_clocks(connection, bounds, clock))
    return findings + await find_unclaimed(engine, bounds)


async def _judge(engine: Engine, check: Check) -> list[Finding]:
    """Make a check; a check that is refused is a finding too, and does not keep the others from being made."""
    try:
        async with acquire(engine) as connection:
            return check.judge(await connection.scalars(check.statement, check.values))
    except StoreLocked as error:
        return [
            Finding(
                check.code, check.expected, str(error), "find that session by xnovu inspect locks, and end it"
            )
        ]
    except ProgrammingError as error:
        reason = getattr(error.orig, "diag", None)
        actual = (
            f"database: refuses this check ({reason.message_primary if reason else type(error).__name__})"
        )
        return [Finding(check.code, check.expected, actual, _RESTORE)]


_RESTORE = (
    "grant xnovu_worker again what the migrations grant it, or restore the dump after its roles were created"
)


async def _compare_clocks(connection: Connection, bounds: Bounds, clock: Clock) -> Finding:
    asked_at = clock()
    database_at = await connection.scalar(_CLOCK)
    answered_at = clock()
    # The database read its clock at some moment of the round trip, so a difference within that time is no skew.
    return _judge_clocks(max(asked_at - database_at, database_at - answered_at), bounds)


def _judge_clocks(skew: float, bounds: Bounds) -> Finding:
    most = bounds.skew.total_seconds()
    expected = f"the clocks of this machine and the database differ by at most {most:g} s"
    if skew <= most:
        return Finding("clock_skew", expected)
    return Finding(
        "clock_skew",
        expected,
        f"clocks: the clocks of this worker and the database differ by {skew:.0f} s",
        "set both from the same time server",
    )
