"""The scene of the measures: a real PostgreSQL, Temporal and a sink, on this machine's loopback.

A measure is a function `async def measure(scene: Scene) -> Figures`, listed by its name in suite.py. You can run it by
itself with `python -m benchmarks.speed --only NAME --rounds 1 --quick`. It uses the scene, for example:

    url = await scene.database("claims")            # fresh and migrated; the superuser's
    rows.prepare(url)                               # a workflow with a schema, and a template
    await scene.sink.reset()
    async with scene.temporal() as address:         # a fresh development server, gone afterwards
        async with worker.running(scene, url, address, HANDOFF_GROUP_SIZE="100") as running:
            await running.until_ready()
            rows.fill(url, scene.sizes.group_rows)  # due rows, committed at once, analysed and on disk
            moment = await scene.sink.until(scene.sizes.group_rows)

After a measure, its databases and the shared Temporal are removed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psycopg

from benchmarks.speed.sink import Sink
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.store import schema

Figures = dict[str, float]
"""The figures of a measure in a round, by name: `{"claim_ms_10k": 3.1}`."""

Show = Callable[[str], None]
"""Shows a line about the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The amount of work of each measure; if you need another size, add it with its comment."""

    # Jobs of a backlog that arrive before the clock starts.
    warm: int = 500
    # Rows of a backlog that is drained with a run for each row; `warm_single` more come before the clock starts.
    single_rows: int = 1000
    warm_single: int = 100
    # Rows of a backlog that is drained with default settings.
    default_rows: int = 20_000
    # Rows of a backlog that is drained in groups.
    group_rows: int = 30_000
    # The same for each combination of the sweep: group size and processes.
    sweep_rows: int = 30_000
    # Workflows of Temporal's references: bare and with a local activity; with five activities; before the clock starts.
    workflows: int = 1000
    five_workflows: int = 200
    warm_workflows: int = 100
    # POSTs of the bare HTTP client.
    posts: int = 20_000
    # Notifications that come one at a time to an idle worker.
    idle_samples: int = 250
    # Workflows of five activities that are started one at a time.
    idle_five_samples: int = 50
    # Seconds for which an idle replica is watched.
    idle_seconds: int = 40
    # Rows after which the memory of a worker is measured, first and last.
    memory_first: int = 10_000
    memory_last: int = 200_000
    # Jobs of a fast peer, and of a slow peer.
    peer_jobs: int = 20_000
    slow_peer_jobs: int = 3000
    # Due rows, and SENT rows, in the table from which rows are claimed.
    due_small: int = 10_000
    due_large: int = 1_000_000
    history: int = 10_000_000
    # Claims that are timed, each of 100 rows; rows that are claimed while a session holds an old snapshot.
    claims: int = 150
    passed_rows: int = 200_000
    # Rows of another enterprise behind the large backlog.
    fair_samples: int = 60
    # Seconds for which 16 writers insert.
    writer_seconds: int = 10
    # Old rows that are purged.
    purged_rows: int = 1_000_000

    @staticmethod
    def full() -> "Sizes":
        """Return sizes with which figures are stable."""
        return Sizes()

    @staticmethod
    def quick() -> "Sizes":
        """Return sizes with which every measure runs, but figures are rough."""
        return Sizes(
            warm=200,
            single_rows=150,
            warm_single=20,
            default_rows=3000,
            group_rows=4000,
            sweep_rows=6000,
            workflows=150,
            five_workflows=40,
            warm_workflows=20,
            posts=4000,
            idle_samples=50,
            idle_five_samples=12,
            idle_seconds=12,
            memory_first=2000,
            memory_last=10_000,
            peer_jobs=4000,
            slow_peer_jobs=600,
            due_large=100_000,
            history=200_000,
            claims=40,
            passed_rows=20_000,
            fair_samples=20,
            writer_seconds=2,
            purged_rows=20_000,
        )


class Scene:
    """All that a measure may use.

    Attributes:
        sink: where all jobs arrive.
        folder: for logs, and for the files of a measure.
        postgres: a server with default settings; `database` creates databases on it.
        show: shows the progress.
    """

    def __init__(self, folder: Path, sizes: Sizes, show: Show = print) -> None:
        self.folder = folder
        self.sizes = sizes
        self.show = show
        self.postgres = Postgres(folder / "postgres")
        self.sink = Sink(folder)
        self._shared: Temporal | None = None
        self._databases: set[str] = set()
        self._pids: dict[str, int] = {}

    async def database(self, name: str, *, migrated: bool = True) -> str:
        """Create a database, replace it if it exists, and return the superuser's URL: `postgresql://…`.

        Args:
            migrated: with this version's schema; peers create their own.
        """
        self._databases.add(name)
        await asyncio.to_thread(self.postgres.drop_database, name)
        if migrated:
            return await self.migrated(self.postgres, name)
        return await asyncio.to_thread(self.postgres.create_database, name)

    async def migrated(self, server: Postgres, name: str) -> str:
        """Create a database with this version's schema on a server, and return the superuser's URL."""
        url = await asyncio.to_thread(server.create_database, name)
        await asyncio.to_thread(schema.upgrade, url.replace("postgresql:", "postgresql+psycopg:", 1))
        return url

    @property
    def temporal_address(self) -> str:
        """The address of a Temporal that only this measure uses; it starts at the first use."""
        if self._shared is None:
            self._shared = self._fresh_temporal()
            self._shared.start()
        return self._shared.address

    @asynccontextmanager
    async def temporal(self) -> AsyncIterator[str]:
        """Run a Temporal for a phase; yield its address.

        The development server keeps its store in memory, and gets slower as it grows. So each system that is compared
        starts with an empty server.
        """
        server = self._fresh_temporal()
        try:
            await asyncio.to_thread(server.start)
            self._pids["temporal"] = server.pid
            yield server.address
        finally:
            self._pids.pop("temporal", None)
            await asyncio.to_thread(server.stop)

    @property
    def pids(self) -> dict[str, int]:
        """The processes of the running servers, by name, for `cpu.Meter`."""
        return {"postgres": self.postgres.pid, "sink": self.sink.pid, **self._pids}

    @asynccontextmanager
    async def other_postgres(self, settings: Mapping[str, str]) -> AsyncIterator[Postgres]:
        """Run a second PostgreSQL with other settings."""
        server = Postgres(self.folder / "other-postgres", settings=settings)
        try:
            await asyncio.to_thread(server.start)
            yield server
        finally:
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.erase)

    async def clear(self) -> None:
        """Remove the databases and the Temporal of a measure."""
        for name in self._databases:
            await asyncio.to_thread(self.postgres.drop_database, name)
        self._databases.clear()
        if self._shared is not None:
            await asyncio.to_thread(self._shared.stop)
            self._shared = None

    def settle(self, url: str) -> None:
        """Vacuum and analyse a filled database, and write all of it to disk."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def _fresh_temporal(self) -> Temporal:
        folder = Path(tempfile.mkdtemp(prefix="temporal-", dir=self.folder))
        return Temporal(folder, search_attributes=SEARCH_ATTRIBUTES)


SEARCH_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("XnovuEnterpriseId", "XnovuNotificationId", "XnovuWorkflowKey", "XnovuOutcome"), "Keyword")
)


@asynccontextmanager
async def opened(sizes: Sizes, show: Show = print) -> AsyncIterator[Scene]:
    """Set up the scene in a temporary folder, and remove all of it afterwards.

    Raises:
        ServerFailed: a server does not start.
    """
    folder = _make_folder()
    scene = Scene(folder, sizes, show)
    try:
        await asyncio.to_thread(scene.postgres.start)
        await asyncio.to_thread(scene.sink.start)
        yield scene
    finally:
        with suppress(psycopg.Error):
            await scene.clear()
        await scene.sink.stop()
        await asyncio.to_thread(scene.postgres.stop)
        scene.postgres.erase()
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="xnovu-speed-"))
    folder.chmod(0o755)  # PostgreSQL may have to run as another user
    return folder
