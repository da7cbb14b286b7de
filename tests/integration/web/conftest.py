"""Probes with a fixed answer, and a server that serves them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.waiting import WITHIN
from xnovu_poller import metrics
from xnovu_poller.web.health import Probe, ProbeAnswer
from xnovu_poller.web.server import Exposition, HealthServer


def always(answer: ProbeAnswer) -> Callable[[], Awaitable[ProbeAnswer]]:
    """Return a probe that always gives this answer."""

    async def ask() -> ProbeAnswer:
        return answer

    return ask


def failing(error: Exception) -> Callable[[], Awaitable[ProbeAnswer]]:
    """Return a probe that raises."""

    async def ask() -> ProbeAnswer:
        raise error

    return ask


@asynccontextmanager
async def served(
    *probes: Probe,
    status: Callable[[], Mapping[str, Any]] = dict,
    counted: metrics.Source = metrics.REGISTRY,
    wait_reason: Callable[[], str | None] = lambda: None,
    token: str | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve on a free port, and lend a client of it."""

    async def describe() -> Mapping[str, Any]:
        return status()

    server = HealthServer(
        "127.0.0.1", 0, probes, describe, Exposition(counted), wait_reason=wait_reason, token=token
    )
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WITHIN) as client:
            yield client
    finally:
        await server.stop()


async def nothing() -> Mapping[str, Any]:
    """Describe a process of which nothing is known."""
    return {}
