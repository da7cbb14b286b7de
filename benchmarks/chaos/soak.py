"""Brings everything up, lets it work while it is struck, waits until it is through, and counts."""

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
"""Every second one hands single notifications off, so that they and groups are struck alike."""

SETTINGS = MappingProxyType(
    {
        "NOVU_TIMEOUT_MS": "2000",
        "LEASE_MS": "5000",
        "POLL_INTERVAL_MS": "500",
        "SCHEDULED_POLL_INTERVAL_MS": "500",
        "FAILED_POLL_INTERVAL_MS": "500",
        # No more than is through within a lease: what waits in Temporal for longer has to be asked after.
        "MAX_IN_FLIGHT": "100",
    }
)
"""Small, so that a minute holds many lives."""

DRAIN_SECONDS = 180.0
"""From the last insert on: a wrong key closes a gate for 30 to 38 s, a third failure rests for up to 40 s."""

LAST_LOOK_SECONDS = 8.0
"""Past every lease and hold: whoever is late has had the chance to do harm."""

HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 2

_ROWS = """
SELECT dedup_key, notification_status::text, coalesce(error_details ->> 'code', retraction_reason),
    error_details ->> 'delivery' = 'unknown' IS TRUE, num_nonnulls(lease_expires_at, send_until) > 0, attempt
FROM notify.ent_notification
"""

_WAITING = "SELECT count(*) FROM notify.ent_notification WHERE notification_status IN ('PENDING', 'PROCESSING', 'FAILED')"

Tell = Callable[[str], None]
"""Is told what happens, a line each."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a run came to.

    Attributes:
        verdict: nothing lost, nothing twice, nothing left behind; or what is.
        recoveries: of each kind of fault.
        undisturbed: triggers accepted per second before the first fault.
        replays: calls that Novu answered out of its store of idempotency keys.
        bulks: calls by which a group was sent.
        group_size: most notifications of a group; 1: there were none.
        unasked: how often a worker ended that nobody had struck.
    """

    verdict: Verdict
    recoveries: dict[Kind, Recoveries]
    undisturbed: float
    replays: int
    bulks: int
    group_size: int
    unasked: int


class Soak:
    """One run.

    Guarantee: whatever interrupts or ends it, no server and no worker stays behind.

    Args:
        folder: a stack's folder; rows, ledger and logs stay there.
        seconds: how long notifications come in.
        seed: of the schedule.
        group_size: most notifications of a group.
        tell: is told what happens.
    """

    def __init__(self, folder: Path, *, seconds: float, seed: int, group_size: int, tell: Tell) -> None:
        self._stack = Stack(folder)
        self._seconds = seconds
        self._group_size = group_size
        self._faults = schedule(seed, seconds, REPLICAS)
        self._tell = tell
        self._replicas: list[Replica] = []
        self._struck: list[Fault] = []
        self._begun_at = 0.0
        self._ceased_at = 0.0

    def run(self) -> Account:
        """Do it all.

        Raises:
            ServerFailed: a server did not come up, or not again.
            StoreError: PostgreSQL does not answer, or cannot be brought to this version's schema.
        """
        try:
            self._stack.start(fresh=True, report=self._tell)
            with StrikableStandIn(self._stack.standin_url, STANDIN_KEY) as standin:
                self._prepare(standin)
                committed = self._work(standin)
                self._tell("Stopping the workers")
                unasked = self._stop_replicas()
                return self._account(committed, standin, unasked)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self._tell("Stopping everything")
            try:
                self._stop_replicas()
            finally:
                self._stack.stop()

    def _prepare(self, standin: StrikableStandIn) -> None:
        standin.heed_idempotency_keys()
        with self._connected() as connection:
            load_suite(connection)
        self._tell(f"Starting {REPLICAS} workers")
        environment = {**self._stack.environment, **SETTINGS}
        for number in range(1, REPLICAS + 1):
            told = {**environment, "HANDOFF_GROUP_SIZE": str(self._group_size if number % 2 else 1)}
            self._replicas.append(Replica(number, self._stack.folder, told))
        for replica in self._replicas:
            replica.wait_until_healthy()

    def _work(self, standin: StrikableStandIn) -> Mapping[str, SampleNotification]:
        """Let notifications come in while everything is struck, and go on until all are through."""
        producer = Producer(self._stack.environment["DATABASE_URL"], standin)
        self._begun_at = time.time()
        producer.start()
        try:
            self._strike(standin, producer)
            self._ceased_at = self._now()
            self._tell("All is mended; no more notifications come in")
            producer.finish()
            self._drain(standin, producer)
        finally:
            producer.abandon()
        return producer.committed

    def _strike(self, standin: StrikableStandIn, producer: Producer) -> None:
        """Inflict and mend each fault at its time, and say every few seconds how far all has come."""
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
        self._tell(f"{fault.kind}{replica}")
        # Another one before may have taken its time.
        self._struck.append(replace(fault, at=self._now()))
        strikes.strike(fault)

    def _beat(self, standin: StrikableStandIn, producer: Producer) -> None:
        waiting = self._waiting()
        self._tell(
            f"… {len(producer.committed)} committed, {standin.stats()['accepted']} accepted by Novu,"
            f" {'PostgreSQL is away' if waiting is None else f'{waiting} not through'},"
            f" {sum(replica.is_running for replica in self._replicas)} of {len(self._replicas)} workers run"
        )

    def _drain(self, standin: StrikableStandIn, producer: Producer) -> None:
        """Wait until every notification has come to its end, or patience has; then look once more."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting() != 0 and time.monotonic() < deadline:
            self._beat(standin, producer)
            time.sleep(HEARTBEAT_SECONDS)
        self._tell("Looking whether anybody is late")
        time.sleep(LAST_LOOK_SECONDS)

    def _waiting(self) -> int | None:
        """Count the notifications that have not come to their end; None while PostgreSQL is away."""
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
            arrival.at.timestamp() - self._begun_at for arrival in arrivals if arrival.subscribers
        )
        return Account(
            verdict=judge(committed, rows, arrivals),
            recoveries=recoveries(self._struck, throughput, self._ceased_at),
            undisturbed=throughput.undisturbed,
            replays=stats["replays"],
            bulks=stats["bulks"],
            group_size=self._group_size,
            unasked=unasked,
        )

    def _connected(self) -> Connection[TupleRow]:
        return psycopg.connect(
            self._stack.environment["DATABASE_URL"],
            autocommit=True,
            options="-c role=xnovu_worker",
            connect_timeout=CONNECT_SECONDS,
        )

    def _now(self) -> float:
        """Give the seconds since the first notification, by the clock of the ledger."""
        return time.time() - self._begun_at

    def _stop_replicas(self) -> int:
        """End all workers together; give how often one had ended that nobody had struck."""
        for replica in self._replicas:
            replica.leave()
        for replica in self._replicas:
            replica.stop()
        return sum(replica.unasked for replica in self._replicas)
