"""How the servers are that the API needs, asked seldom: anybody may ask for the answer."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from xnovu_poller.errors import ConfigError
from xnovu_poller.novu.calls import Client
from xnovu_poller.novu.contact import ASK_SECONDS, PATH
from xnovu_poller.settings import NovuSettings
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflows import count_published
from xnovu_poller.temporal.client import probe
from xnovu_poller.temporal.shared import SharedClient
from xnovu_poller.web.health import Probe, ProbeAnswer

_HEALTHY = ProbeAnswer("healthy")
_TEMPORAL_SECONDS, _NOVU_SECONDS = 5.0, 60.0
"""Temporal and Novu are asked at most this often."""


class ApiHealth:
    """Asks PostgreSQL, Temporal and Novu.

    Args:
        novu: a client of Novu; None if the API has no key for it, which it can do without.

    Attributes:
        workflows: how many workflows of each type are published, as of the last look.
    """

    def __init__(self, engine: Engine, temporal: SharedClient, novu: Client | None) -> None:
        self.workflows: dict[str, int] = {}
        self._engine = engine
        self._temporal = temporal
        self._novu = novu

    @property
    def probes(self) -> list[Probe]:
        """The probes of /api/health."""
        return [
            Probe("database", self._ask_database),
            Probe("workflows", self._ask_database),
            Probe("temporal", _Seldom(self._ask_temporal, _TEMPORAL_SECONDS).ask),
            Probe("novu", _Seldom(self._ask_novu, _NOVU_SECONDS).ask),
        ]

    async def _ask_database(self) -> ProbeAnswer:
        self.workflows = await count_published(self._engine)
        return _HEALTHY

    async def _ask_temporal(self) -> ProbeAnswer:
        await probe(await self._temporal.lend())
        return _HEALTHY

    async def _ask_novu(self) -> ProbeAnswer:
        if self._novu is None:
            return ProbeAnswer("healthy", "not asked, because NOVU_SECRET_KEY is not set")
        answer = await self._novu.send("GET", PATH)
        return _HEALTHY if answer.is_success else ProbeAnswer("unhealthy", f"answers {answer.status_code}")


class _Seldom:
    """Asks again only after a time; until then the last answer or error stands."""

    def __init__(self, ask: Callable[[], Awaitable[ProbeAnswer]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asked_at = float("-inf")
        self._answer = ProbeAnswer("unhealthy", "not asked yet")

    async def ask(self) -> ProbeAnswer:
        if time.monotonic() - self._asked_at >= self._seconds:
            self._asked_at = time.monotonic()
            self._answer = ProbeAnswer("unhealthy", "does not answer")
            self._answer = await self._ask()
        return self._answer


def open_novu(novu: NovuSettings | ConfigError) -> Client | None:
    """Return a client of Novu whose questions are short; None if there is no key."""
    if isinstance(novu, ConfigError):
        return None
    return Client(novu.novu_api_url, novu.novu_secret_key.get_secret_value(), timedelta(seconds=ASK_SECONDS))
