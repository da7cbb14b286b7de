"""A rollout under faults: workers of the version before, the migrations, workers of this version, and nobody stops to wait."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

from typing_extensions import override

from benchmarks.chaos.before import SAFE, Before
from benchmarks.chaos.producer import Producer
from benchmarks.chaos.replica import Replica
from benchmarks.chaos.schedule import Fault, Kind
from benchmarks.chaos.soak import SETTINGS, Account, Show, Soak
from benchmarks.chaos.standin import StrikableStandIn
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.store import schema

NEW_COMMAND = (sys.executable, "-m", "xnovu_poller")
OLD, NEW = (0, 1), (2, 3)
"""The places of the workers of both versions among all."""

PAUSES = MappingProxyType({"kill_old": 0.15, "upgrade": 0.15, "kill_new": 0.2, "retire": 0.15, "end": 0.15})
"""How long each step waits after the step before, as a share of the time in which notifications are inserted."""

FAULTS = frozenset(
    {
        Kind.POSTGRES_RESTARTED,
        Kind.BACKENDS_TERMINATED,
        Kind.TEMPORAL_KILLED,
        Kind.ACCEPT_THEN_HANG,
        Kind.ACCEPT_THEN_RESET,
        Kind.STATUS_503,
    }
)
"""The faults of servers and of Novu beside the rollout: those after which a version might send again what the other sent."""

UPGRADE_SECONDS = START_SECONDS = 300.0
_LOOK_SECONDS = 0.5


class Rollout(Soak):
    """The soak with workers of two versions: the new begin after the migrations, and the old end later, one after the other.

    A worker of the version before is killed only before the migrations,
    because it may be so old that it refuses to start afterwards.

    Attributes:
        upgrades: how often `xnovu db upgrade` ran until it succeeded; a fault may end it.
    """

    def __init__(self, folder: Path, *, seconds: float, seed: int, before: Before, show: Show) -> None:
        super().__init__(folder, seconds=seconds, seed=seed, group_size=100, show=show, revision=before.head)
        self._before = before
        self._faults = tuple(fault for fault in self._faults if fault.kind in FAULTS)
        self._pool = ThreadPoolExecutor(1)
        self._over = threading.Event()
        self.upgrades = 0

    @override
    def run(self) -> Account:
        try:
            return super().run()
        finally:
            self._over.set()
            self._pool.shutdown()

    @override
    def _strike(self, standin: StrikableStandIn, producer: Producer) -> None:
        """Roll out beside the faults, and insert until both have ended."""
        rolled_out = self._pool.submit(self._roll_out)
        super()._strike(standin, producer)
        rolled_out.result()

    def _roll_out(self) -> None:
        self._pause("kill_old")
        self._kill(OLD[0])
        self._pause("upgrade")
        self._migrate()
        self._show(f"Starting {len(NEW)} workers of this version")
        fresh = [self._add(place, NEW_COMMAND) for place in NEW]
        for replica in fresh:
            replica.supervise()
            self._await(replica)
        self._show("Both versions work side by side")
        self._pause("kill_new")
        self._kill(NEW[0])
        self._pause("retire")
        for place in OLD:
            self._show(f"Ending a worker of the version before [{place + 1}]")
            self._replicas[place].stop()
        self._pause("end")

    def _pause(self, step: str) -> None:
        if self._over.wait(PAUSES[step] * self._seconds):
            raise ServerFailed("the rollout", "was interrupted")

    def _await(self, replica: Replica) -> None:
        """Wait until a worker is healthy; faults may delay that, and end it meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while not replica.is_healthy:
            if self._over.wait(_LOOK_SECONDS) or time.monotonic() > deadline:
                raise ServerFailed(f"worker-{replica.number}", "is not healthy")

    @override
    def _start_replicas(self) -> None:
        self._show(f"Starting {len(OLD)} workers of the version before ({self._before.commit})")
        for place in OLD:
            self._add(place, self._before.command, **SAFE)
        for replica in self._replicas:
            replica.wait_until_healthy()

    def _add(self, place: int, command: tuple[str, ...], **environment: str) -> Replica:
        settings = {
            **self._stack.environment,
            **SETTINGS,
            **environment,
            "HANDOFF_GROUP_SIZE": ("100", "auto")[place % 2],
        }
        replica = Replica(place + 1, self._stack.folder, settings, command)
        self._replicas.append(replica)
        return replica

    def _kill(self, place: int) -> None:
        """Kill a worker, and wait until its successor is healthy."""
        self._show(f"{Kind.WORKER_KILLED} [{place + 1}]")
        self._struck.append(Fault(self._now(), Kind.WORKER_KILLED, place))
        self._replicas[place].kill()
        self._await(self._replicas[place])

    def _migrate(self) -> None:
        """Run the command until it succeeds, as the Job of a rollout is."""
        self._show(f"xnovu db upgrade, from {self._before.head} to {schema.required_revision()}")
        while True:
            self.upgrades += 1
            done = subprocess.run(  # noqa: S603 - our own command
                [*NEW_COMMAND, "db", "upgrade"],
                env={"DATABASE_URL": self._stack.owner_url},
                capture_output=True,
                text=True,
                check=False,
                timeout=UPGRADE_SECONDS,
            )
            if done.returncode == 0:
                self._show(done.stdout.strip())
                return
            self._show(f"It failed, and runs again: {done.stderr.strip().splitlines()[-1]}")
