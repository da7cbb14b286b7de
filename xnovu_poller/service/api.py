"""The life of `xnovu api start`: listen, serve until asked to stop, and finish what runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from xnovu_poller import log, metrics
from xnovu_poller.errors import ConfigError
from xnovu_poller.lifecycle import Language
from xnovu_poller.metrics.api import REGISTRY
from xnovu_poller.service.api_health import ApiHealth, open_novu
from xnovu_poller.service.children import PROGRAM, ChildProcesses
from xnovu_poller.service.operator_page import open_page
from xnovu_poller.settings import ApiProcessSettings, NovuSettings
from xnovu_poller.store import session
from xnovu_poller.store.engine import connect
from xnovu_poller.story.sources import open_sources
from xnovu_poller.temporal.rules.fire import fire_rule
from xnovu_poller.temporal.shared import SharedClient
from xnovu_poller.web.api import documentation, monitoring
from xnovu_poller.web.api.admission import Admission
from xnovu_poller.web.api.application import App, Endpoints, application
from xnovu_poller.web.api.document import describe
from xnovu_poller.web.api.operation import Operation, Parts
from xnovu_poller.web.api.server import ApiServer, listen
from xnovu_poller.web.api.table import OPERATIONS
from xnovu_poller.web.health import HealthReport
from xnovu_poller.web.proxies import Proxies

_log = log.get(__name__)

_PATIENCE_SECONDS = 5
"""How long a request waits for a connection of the pool."""

_KILL_MARGIN = timedelta(seconds=10)
"""A child that has not ended this long after its running requests had to is killed."""


@asynccontextmanager
async def build(
    settings: ApiProcessSettings,
    novu: NovuSettings | ConfigError,
    counts: metrics.Source = REGISTRY,
    operations: Sequence[Operation] = OPERATIONS,
) -> AsyncIterator[App]:
    """Yield the application with its pool; nothing connects before the first request needs it.

    Args:
        counts: what /metrics shows.
    """
    engine = connect(settings.sqlalchemy_url, part="api", kind=session.API, patience=_PATIENCE_SECONDS)
    temporal, client = SharedClient(settings), open_novu(novu)
    health = ApiHealth(engine, temporal, client)
    token = settings.api_http_token
    pages = [
        *documentation.routes(describe(operations)),
        *monitoring.routes(
            HealthReport(health.probes),
            lambda: health.workflows,
            counts,
            None if token is None else token.get_secret_value(),
        ),
    ]
    try:
        async with open_sources(temporal, novu) as sources:
            endpoints = Endpoints(
                Parts(
                    engine,
                    sources,
                    partial(fire_rule, engine, temporal),
                    Language(settings.default_locale, settings.default_time_zone),
                ),
                Admission(
                    engine,
                    key_rate=settings.api_key_rate,
                    address_rate=settings.api_address_rate,
                    proxies=Proxies(settings.trusted_networks),
                ),
                most_bytes=settings.api_max_body_bytes,
                seconds=settings.api_timeout.total_seconds(),
            )
            async with open_page(settings, temporal, novu) as page:
                taken = {operation.path.split("/")[1] for operation in operations}
                app = application(
                    endpoints,
                    operations,
                    pages=pages if page is None else [*pages, page.mount(taken)],
                    origins=settings.api_cors_origins or (),
                )
                app.state.page = page
                yield app
    finally:
        if client is not None:
            await client.aclose()
        await engine.dispose()


async def serve(
    settings: ApiProcessSettings,
    novu: NovuSettings | ConfigError,
    listener: socket.socket,
    stop: asyncio.Event,
    counts: metrics.Source = REGISTRY,
) -> None:
    """Serve on a socket until asked to stop; then finish the running requests."""
    async with build(settings, novu, counts) as app:
        serving = asyncio.create_task(ApiServer(app, settings.api_timeout).run(listener, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if app.state.page is not None:
            # Its live pages would keep the server for as long as people look.
            app.state.page.close_streams()
        await serving


class Api:
    """The API: this process by itself, or API_PROCESSES children that share its socket.

    Args:
        novu: how to ask Novu, or why it cannot be asked; sending does not need it.
        listening: called with the port when it is open.
    """

    def __init__(
        self,
        settings: ApiProcessSettings,
        novu: NovuSettings | ConfigError,
        listening: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._novu = novu
        self._listening = listening

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until asked to stop.

        Raises:
            ConfigError: the address is not available.
        """
        listener = listen(self._settings.api_host, self._settings.api_port)
        port, processes = listener.getsockname()[1], self._settings.api_processes
        _log.info("API served", port=port, processes=processes)
        self._listening(port)
        if processes == 1:
            await serve(self._settings, self._novu, listener, stop)
        else:
            await self._supervise(listener, stop)
        _log.info("API stopped")

    async def _supervise(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Keep children that serve; a child that dies is replaced, and its connections are closed."""
        children = ChildProcesses(
            self._settings.api_processes,
            patience=self._settings.api_timeout + _KILL_MARGIN,
            command=(*PROGRAM, "api", "execute", "--listener", str(listener.fileno())),
            files=(listener.fileno(),),
        )
        with children.combined_metrics():
            running = asyncio.create_task(children.run(), name="children")
            await stop.wait()
            children.stop()
            await running
