"""Start everything, let the worker deliver the sample notifications, and stop everything."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import httpx
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from xnovu_poller.dev.children import Child, ServerFailed
from xnovu_poller.dev.demo.load import insert, load_suite
from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.demo.tally import FoundRow, Tally, compare
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import SampleNotification, notifications
from xnovu_poller.dev.stack import STANDIN_KEY, Stack
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import Status

WORKER = "worker"
INSERTS_PER_SECOND = 25

PATIENCE = timedelta(seconds=90)
"""How long deliveries may take after the last insert; a busy machine is slow."""

LAST_LOOK = timedelta(seconds=2.5)
"""Two turns of every loop, so that a row which must not move had its chance to."""

SHORT_INTERVALS = {
    "POLL_INTERVAL_MS": "1000",
    "SCHEDULED_POLL_INTERVAL_MS": "1000",
    "FAILED_POLL_INTERVAL_MS": "1000",
}

_FINAL = frozenset({Status.SENT, Status.DEAD, Status.RETRACTED})

_ROWS = """
SELECT id, notification_status::text, attempt, transaction_id, coalesce(scheduled_for, created_at),
    coalesce(error_details ->> 'code', retraction_reason)
FROM notify.ent_notification
"""

Written = Sequence[tuple[SampleNotification, int | None]]
"""Samples with the ids of their rows; None if the insert was refused."""


class Reporter(Protocol):
    """Shows a person which step is running, and its progress."""

    def __call__(self, step: str, done: int = 0, total: int | None = None, /) -> None:
        """Show a step; `total` is None if it cannot be counted."""


def _ignore(_step: str, _done: int = 0, _total: int | None = None, /) -> None:
    """Show nothing."""


class Demo:
    """One run of the sample notifications through the real system.

    Guarantee: no server and no worker keeps running, even if the run is interrupted or this process is killed.
    """

    def __init__(self, folder: Path, report: Reporter = _ignore) -> None:
        """Describe a run; nothing runs yet.

        Args:
            folder: the stack's folder; rows, ledger and logs stay there.
            report: called at each step.
        """
        self.stack = Stack(folder)
        self._report = report
        self._worker: Child | None = None

    @property
    def servers(self) -> list[Child]:
        """The processes that were started, in that order; the worker is the last."""
        return [*self.stack.servers, *([self._worker] if self._worker else [])]

    def run(self) -> Tally:
        """Run all steps and compare the results.

        Raises:
            ServerFailed: a server or the worker did not start, or ended by itself.
            StoreError: PostgreSQL does not answer, or cannot be upgraded to this version's schema.
        """
        try:
            self.stack.start(report=self._report)
            with (
                StandIn(self.stack.standin_url, STANDIN_KEY) as standin,
                _connect(self.stack, "xnovu_worker") as operator,
                _connect(self.stack, "xnovu_producer") as tenant,
            ):
                self._report("Loading workflows, templates and topics")
                load_suite(operator)
                for topic in topics():
                    standin.register(topic)
                self._report("Starting the worker")
                self._start_worker()
                written = self._insert(tenant, standin)
                self._wait(operator, written)
                return compare(_read(operator, written), standin.arrivals())
        except psycopg.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self._report("Stopping everything")
            self._stop()

    def _start_worker(self) -> None:
        port = free_port()
        self._worker = Child(
            WORKER,
            [sys.executable, "-m", "xnovu_poller", "worker", "start"],
            folder=self.stack.folder,
            # Not our own environment: a setting that happens to be exported there is not meant for the demo.
            environment={
                **self.stack.environment,
                **SHORT_INTERVALS,
                "WORKER_HEALTH_HOST": LOOPBACK,
                "WORKER_HEALTH_PORT": str(port),
            },
            patience_seconds=30,
        )
        self._worker.start()
        self._worker.wait_until(lambda: _is_healthy(port))

    def _stop(self) -> None:
        try:
            if self._worker is not None:
                self._worker.stop()
        finally:
            self.stack.stop()

    def _insert(self, tenant: Connection[TupleRow], standin: StandIn) -> Written:
        """Insert at an even pace while the worker delivers, so that the waits are realistic."""
        samples = notifications()
        written: list[tuple[SampleNotification, int | None]] = []
        started = time.monotonic()
        for sample in samples:
            time.sleep(max(0.0, started + len(written) / INSERTS_PER_SECOND - time.monotonic()))
            written.append((sample, insert(tenant, sample, standin)))
            self._report("Inserting notifications while the worker delivers them", len(written), len(samples))
            self._check_servers()
        return written

    def _wait(self, operator: Connection[TupleRow], written: Written) -> None:
        """Wait until each row is in its expected or a final state, or PATIENCE is over; then check that nothing moves."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        done = 0
        while done < len(written) and time.monotonic() < deadline:
            done = sum(_is_settled(*pair) for pair in _read(operator, written))
            self._report("Waiting for the last deliveries", done, len(written))
            self._check_servers()
            time.sleep(0.1)
        self._report("Checking that nothing moves any more")
        time.sleep(LAST_LOOK.total_seconds())
        self._check_servers()

    def _check_servers(self) -> None:
        for server in self.servers:
            if not server.is_running:
                raise ServerFailed(server.name, "ended", server.end_of_log())


@contextmanager
def _connect(stack: Stack, role: str) -> Iterator[Connection[TupleRow]]:
    """Connect with a role of ours; a statement outside a transaction commits by itself."""
    with psycopg.connect(stack.owner_url, autocommit=True, options=f"-c role={role}") as connection:
        yield connection


def _read(
    operator: Connection[TupleRow], written: Written
) -> list[tuple[SampleNotification, FoundRow | None]]:
    rows = {
        row_id: FoundRow(
            status=Status(status), attempt=attempt, transaction_id=transaction, due_at=due_at, reason=reason
        )
        for row_id, status, attempt, transaction, due_at, reason in operator.execute(_ROWS)
    }
    return [(sample, None if row_id is None else rows[row_id]) for sample, row_id in written]


def _is_settled(sample: SampleNotification, row: FoundRow | None) -> bool:
    return row is None or row.status is sample.expected or row.status in _FINAL


def _is_healthy(port: int) -> bool:
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/health", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == HTTPStatus.OK
