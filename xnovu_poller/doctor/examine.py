"""Run all checks: each server's are run, even if another server is away or its settings are wrong."""

from collections.abc import Mapping

from xnovu_poller import settings
from xnovu_poller.doctor import novu, postgres, temporal
from xnovu_poller.doctor import settings as of_settings
from xnovu_poller.errors import ConfigError, XnovuError
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.engine import ASIDE_CONNECTIONS, CONNECTIONS, Engine, connect

Report = Mapping[str, list[Finding]]
"""The findings of the settings and of each server, in the order in which they are printed."""

SETTINGS, POSTGRESQL, TEMPORAL, NOVU = "Settings", "PostgreSQL", "Temporal", "Novu"

_HIDES = frozenset(
    {"database_away", "server_reads_only", "schema_unfit", "deployment_disputed", "table_unreachable"}
)
"""Faults of the database on whose rows no other check can rely."""


async def examine(*, probe: bool) -> Report:
    """Run all checks.

    Args:
        probe: also find out whether Novu drops repeats.
    """
    report = {SETTINGS: of_settings.examine()}
    engine = _connect()
    try:
        return {**report, **await examine_servers(engine, probe=probe)}
    finally:
        if engine is not None:
            await engine.dispose()


async def examine_servers(engine: Engine | None, *, probe: bool = False) -> Report:
    """Run the checks of the servers.

    Args:
        engine: the worker's role; None if the setting is wrong.
        probe: also find out whether Novu drops repeats.
    """
    of_database = [_unread()] if engine is None else await postgres.examine(engine, _count_connections())
    hidden = {found.code for found in of_database if not found.is_sound} & _HIDES
    fit = None if hidden else engine
    return {
        POSTGRESQL: of_database,
        TEMPORAL: await _examine_temporal(fit),
        NOVU: await _examine_novu(fit, probe=probe),
    }


def _connect() -> Engine | None:
    """Return the pool; None if the setting is wrong."""
    try:
        return connect(settings.load_database().sqlalchemy_url, part="cli", size=1)
    except ConfigError:
        return None


def _count_connections() -> int:
    """Return the connections that a worker opens: those of its processes, and one for wake-ups."""
    try:
        processes = settings.load().worker_processes
    except ConfigError:
        processes = 1
    return processes * (CONNECTIONS + ASIDE_CONNECTIONS) + 1


async def _examine_temporal(engine: Engine | None) -> list[Finding]:
    try:
        return await temporal.examine(settings.load_temporal_address(), engine)
    except ConfigError:
        return [_unread()]
    except XnovuError as error:
        return [Finding("database_away", "PostgreSQL answers", str(error), "run xnovu doctor again")]


async def _examine_novu(engine: Engine | None, *, probe: bool) -> list[Finding]:
    try:
        return await novu.examine(settings.load_novu(), engine, probe=probe)
    except ConfigError as error:
        return [_unread(str(error))]


def _unread(reason: str = "its settings are wrong") -> Finding:
    return Finding(
        "unchecked", "it can be examined", reason, "correct the settings, then run xnovu doctor again"
    )
