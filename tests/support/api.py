"""A process of the API on real sockets, in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from tests.support.logins import a_login, without_login
from tests.support.proxy import Proxy
from tests.support.rows import engine_on
from tests.support.waiting import WITHIN
from xnovu_poller.errors import ConfigError
from xnovu_poller.service.api import Api
from xnovu_poller.settings import ApiProcessSettings, NovuSettings
from xnovu_poller.store import api_keys
from xnovu_poller.store.api_keys import Scope

NO_NOVU = ConfigError(["NOVU_SECRET_KEY: is not set"])


@dataclass(slots=True)
class ServedApi:
    """A running process of the API.

    Attributes:
        database: the superuser's URL.
        url: its address.
        stop: set it, and the process stops.
    """

    database: str
    url: str
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def key(
        self,
        enterprise: str = "acme",
        scopes: Iterable[Scope] = tuple(Scope),
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key as `xnovu api key create` does."""
        async with engine_on(self.database) as engine:
            made = await api_keys.create(engine, enterprise, "test", [*scopes], expires_at)
        assert made is not None
        return made

    def client(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        """Return a client that shows a key; it is closed with the API."""
        shown = {} if key is None else {"Authorization": f"Bearer {key}"}
        made = httpx.AsyncClient(base_url=self.url, headers={**shown, **headers}, trust_env=False, timeout=60)
        self.clients.append(made)
        return made


@asynccontextmanager
async def served_api(
    database: str,
    *,
    proxy: Proxy | None = None,
    novu: NovuSettings | ConfigError = NO_NOVU,
    **settings: object,
) -> AsyncIterator[ServedApi]:
    """Serve the API with a login of its own, perhaps through a proxy; rates are high unless a test sets them."""
    login = a_login(database, "xnovu_api")
    chosen: Mapping[str, object] = {
        "DATABASE_URL": login if proxy is None else proxy.through(login),
        "API_PORT": 0,
        "API_KEY_RATE": 100_000,
        "API_ADDRESS_RATE": 100_000,
        # Nobody listens there.
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        **settings,
    }
    ports: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    api = Api(ApiProcessSettings.model_validate(chosen), novu, ports.set_result)
    served = ServedApi(database, "")
    running = asyncio.create_task(api.run(served.stop))
    either: set[asyncio.Future[Any]] = {running, ports}
    try:
        await asyncio.wait(either, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        served.url = f"http://127.0.0.1:{ports.result()}"
        yield served
    finally:
        for client in served.clients:
            await client.aclose()
        served.stop.set()
        try:
            await running
        finally:
            without_login(database, login)


def codes(answers: Sequence[httpx.Response]) -> list[str]:
    """Return the codes of problems."""
    return [answer.json()["code"] for answer in answers]
