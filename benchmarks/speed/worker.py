"""The worker as it runs in production: `xnovu worker start`, in a separate process with its own children."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.speed.scene import Scene
from xnovu_poller.dev.children import Child, ServerFailed
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.store.session import ROLE

_LOGIN = "worker"
_BEAT_SECONDS = 0.05
_PATIENCE_SECONDS = 60


class Running:
    """A running worker.

    Args:
        health: the address of its HTTP server.
    """

    def __init__(self, child: Child, health: str) -> None:
        self._child = child
        self.health = health

    @property
    def log(self) -> Path:
        """The path of its log."""
        return self._child.log

    @property
    def pid(self) -> int:
        """The worker's process; its executors are its children."""
        return self._child.pid

    def resident_mb(self) -> float:
        """Return the resident memory of all its processes, without the guardian that ends them when we die."""
        worker = psutil.Process(self.pid)
        resident: list[int] = [each.memory_info().rss for each in (worker, *worker.children(recursive=True))]
        return sum(resident) / 1e6

    async def until_ready(self, processes: int = 1) -> None:
        """Wait until `/health` answers 200 and every child process has started.

        Raises:
            ServerFailed: it ended, or does not become ready.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS), httpx.AsyncClient(trust_env=False) as window:
                while self._child.is_running:
                    if await self._is_well(window) and self._executors() == processes - 1:
                        return
                    await asyncio.sleep(_BEAT_SECONDS)
        raise ServerFailed(self._child.name, "is not well", self._child.end_of_log())

    async def _is_well(self, window: httpx.AsyncClient) -> bool:
        with suppress(httpx.TransportError):
            return (await window.get(f"{self.health}/health")).is_success
        return False

    def _executors(self) -> int:
        return self.log.read_text().count('"executor started"')


@asynccontextmanager
async def running(
    scene: Scene, url: str, address: str, server: Postgres | None = None, /, **settings: str
) -> AsyncIterator[Running]:
    """Run a worker as long as the context lasts.

    Args:
        scene: its sink replaces Novu.
        url: of the database.
        address: of Temporal.
        server: the PostgreSQL of that database; None for the scene's.
        settings: environment variables; all others have their defaults.

    Raises:
        ServerFailed: it does not start, or a wait within the context timed out.
    """
    port = free_port()
    server = server or scene.postgres
    server.create_login(_LOGIN, ROLE)
    child = Child(
        "worker",
        [sys.executable, "-m", "xnovu_poller", "worker", "start"],
        folder=scene.folder,
        environment={
            "DATABASE_URL": server.url(urlsplit(url).path.removeprefix("/"), _LOGIN),
            "TEMPORAL_ADDRESS": address,
            "NOVU_API_URL": scene.sink.url,
            "NOVU_SECRET_KEY": "any-key-opens-the-sink",
            "WORKER_HEALTH_HOST": LOOPBACK,
            "WORKER_HEALTH_PORT": str(port),
            **settings,
        },
        patience_seconds=30,
    )
    await asyncio.to_thread(child.start)
    try:
        yield Running(child, f"http://{LOOPBACK}:{port}")
    except TimeoutError as late:
        raise ServerFailed(child.name, "stays behind", child.end_of_log()) from late
    finally:
        await asyncio.to_thread(child.stop)
