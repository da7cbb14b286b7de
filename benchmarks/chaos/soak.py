"""Start everything, insert notifications while faults happen, wait until all are delivered, and count."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.chaos.producer import Producer
from benchmarks.chaos.recovery import Recoveries, Throughput, recoveries
from benchmarks.chaos.replica import Replica
from benchmarks.chaos.schedule import Fault, Kind, schedule
from benchmarks.chaos.standin import StrikableStandIn
from benchmarks.chaos.strikes import Strikes
from benchmarks.chaos.verdict import Row, Verdict, judge
from xnovu_poller.dev.demo.load import load_suite
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.dev.stack import STANDIN_KEY, Stack
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import Status

REPLICAS = 3
"""Every second worker hands off single notifications, so that faults hit them as well as groups."""

SETTINGS = MappingProxyType(
    {
        "NOVU_TIMEOUT_MS": "2000",
        "LEASE_MS": "5000",
        "POLL_INTERVAL_MS": "500",
        "SCHEDULED_POLL_INTERVAL_MS": "500",
        "FAILED_POLL_INTERVAL_MS": "500",
        # As many as can be delivered within a lease: the rescuer must ask Temporal about rows that wait longer.
        "MAX_IN_FLIGHT": "100",
    }
)
"""Short times, so that much happens in a minute."""

DRAIN_SECONDS = 180.0
"""From the last insert on: a wrong key closes a gate for 30 to 38 s, and the pause after a third failure is up to 40 s."""

LAST_LOOK_SECONDS = 8.0
"""Longer than every lease and hold, so that a late process has had the chance to do harm."""

HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 2

_ROWS = """
SELECT dedup_key, notification_status::text, coalesce(error_details ->> 'code', retraction_reason),
    error_details ->> 'delivery' = 'unknown' IS TRUE, num_nonnulls(lease_expires_at, send_until) > 0, attempt
FROM notify.ent_notification
"""

_WAITING = "SELECT count(*) FROM notify.ent_notification WHERE notification_status IN ('PENDING', 'PROCESSING', 'FAILED')"

Show = Callable[[str], None]
"""Shows a line about the progress."""


@dataclass(frozen=True, slots=True)
class Account:
    """The results of a run.

    Attributes:
        recoveries: by kind of fault.
        undisturbed: triggers accepted per second before the first fault.
        replays: calls that Novu answered from its store of idempotency keys.
        bulks: calls that sent a group.
        group_size: the most notifications of a group; 1: no groups.
        unasked: how often a worker ended although no fault had hit it.
    """

    verdict: Verdict
    recoveries: dict[Kind, Recoveries]
    undisturbed: float
    replays: int
    bulks: int
    group_size: int
    unasked: int


class Soak:
    """A run of the soak.

    Guarantee: no server and no worker keeps running, however the run ends.

    Args:
        folder: for rows, ledger and logs, which stay there.
        seconds: how long notifications are inserted.
        seed: of the schedule of faults.
        group_size: the most notifications of a group.
        show: shows the progress.
        revision: the schema at the beginning.
    """

    def __init__(
        self, folder: Path, *, seconds: float, seed: int, group_size: int, show: Show, revision: str = "head"
    ) -> None:
        self._stack = Stack(folder, revision=revision)
        self._seconds = seconds
        self._group_size = group_size
        self._faults = schedule(seed, seconds, REPLICAS)
        self._show = show
        self._replicas: list[Replica] = []
        self._struck: list[Fault] = []
        self._started_at = 0.0
        self._finished_at = 0.0

    def run(self) -> Account:
        """Run everything, and return the results.

        Raises:
            ServerFailed: a server did not start, or did not restart.
            StoreError: PostgreSQL does not answer, or cannot be brought to this version's schema.
        """
        try:
            self._stack.start(fresh=True, report=self._show)
            with StrikableStandIn(self._stack.standin_url, STANDIN_KEY) as standin:
                self._prepare(standin)
                committed = self._work(standin)
                self._show("Stopping the workers")
                unasked = self._stop_replicas()
                return self._account(committed, standin, unasked)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self._show("Stopping everything")
            try:
                self._stop_replicas()
            finally:
                self._stack.stop()

    def _prepare(self, standin: StrikableStandIn) -> None:
        standin.heed_idempotency_keys()
        with self._connected() as connection:
            load_suite(connection)
        self._start_replicas()

    def _start_replicas(self) -> None:
        self._show(f"Starting {REPLICAS} workers")
        environment = {**self._stack.environment, **SETTINGS}
        sizes = (str(self._group_size), "1", "auto")
        for number, size in zip(range(1, REPLICAS + 1), sizes, strict=True):
            settings = {**environment, "HANDOFF_GROUP_SIZE": size}
            self._replicas.append(Replica(number, self._stack.folder, settings))
        for replica in self._replicas:
            replica.wait_until_healthy()

    def _work(self, standin: StrikableStandIn) -> Mapping[str, SampleNotification]:
        """Insert notifications while faults happen, and wait until all are delivered."""
        producer = Producer(self._stack.owner_url, standin)
        self._started_at = time.time()
        producer.start()
        try:
            self._strike(standin, producer)
            self._finished_at = self._now()
            self._show("All faults have ended; no more notifications are inserted")
            producer.finish()
            self._drain(standin, producer)
        finally:
            producer.abandon()
        return producer.committed

    def _strike(self, standin: StrikableStandIn, producer: Producer) -> None:
        """Start and end each fault at its time, and show the progress every few seconds."""
        strikes = Strikes(self._stack, standin, self._replicas)
        acts: list[tuple[float, Callable[[], None]]] = [(self._seconds, lambda: None)]
        for fault in self._faults:
            acts.append((fault.at, partial(self._inflict, strikes, fault)))
            acts.append((fault.mended_at, partial(strikes.mend, fault)))
        beats = range(HEARTBEAT_SECONDS, int(self._seconds), HEARTBEAT_SECONDS)
        acts += [(at, partial(self._beat, standin, producer)) for at in beats]
        for at, act in sorted(acts, key=itemgetter(0)):
            time.sleep(max(0.0, at - self._now()))
            act()

    def _inflict(self, strikes: Strikes, fault: Fault) -> None:
        replica = f" [{fault.replica + 1}]" if fault.kind.startswith("worker") else ""
        self._show(f"{fault.kind}{replica}")
        # The fault before may have delayed it.
        self._struck.append(replace(fault, at=self._now()))
        strikes.strike(fault)

    def _beat(self, standin: StrikableStandIn, producer: Producer) -> None:
        waiting = self._waiting()
        self._show(
            f"… {len(producer.committed)} committed, {standin.stats()['accepted']} accepted by Novu,"
            f" {'PostgreSQL is away' if waiting is None else f'{waiting} not ended'},"
            f" {sum(replica.is_running for replica in self._replicas)} of {len(self._replicas)} workers run"
        )

    def _drain(self, standin: StrikableStandIn, producer: Producer) -> None:
        """Wait until every notification has ended, for at most `DRAIN_SECONDS`; then wait for late processes."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting() != 0 and time.monotonic() < deadline:
            self._beat(standin, producer)
            time.sleep(HEARTBEAT_SECONDS)
        self._show("Waiting for late processes")
        time.sleep(LAST_LOOK_SECONDS)

    def _waiting(self) -> int | None:
        """Count the notifications that have not ended; return None while PostgreSQL is away."""
        with suppress(psycopg.OperationalError), self._connected() as connection:
            row = connection.execute(_WAITING).fetchone()
            return None if row is None else int(row[0])
        return None

    def _account(
        self, committed: Mapping[str, SampleNotification], standin: StrikableStandIn, unasked: int
    ) -> Account:
        arrivals, stats = standin.arrivals(), standin.stats()
        with self._connected() as connection:
            rows = {
                key: Row(status=Status(status), reason=reason, unknown=unknown, held=held, attempt=attempt)
                for key, status, reason, unknown, held, attempt in connection.execute(_ROWS)
            }
        throughput = Throughput(
            arrival.at.timestamp() - self._started_at for arrival in arrivals if arrival.subscribers
        )
        return Account(
            verdict=judge(committed, rows, arrivals),
            recoveries=recoveries(self._struck, throughput, self._finished_at),
            undisturbed=throughput.undisturbed,
            replays=stats["replays"],
            bulks=stats["bulks"],
            group_size=self._group_size,
            unasked=unasked,
        )

    def _connected(self) -> Connection[TupleRow]:
        return psycopg.connect(
            self._stack.owner_url,
            autocommit=True,
            options="-c role=xnovu_worker",
            connect_timeout=CONNECT_SECONDS,
        )

    def _now(self) -> float:
        """Return the seconds since the first notification, by the clock of the ledger."""
        return time.time() - self._started_at

    def _stop_replicas(self) -> int:
        """End all workers together; return how often a worker had ended although no fault had hit it."""
        for replica in self._replicas:
            replica.leave()
        for replica in self._replicas:
            replica.stop()
        return sum(replica.unasked for replica in self._replicas)
