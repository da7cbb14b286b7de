"""Brings everything up, lets the worker deliver the sample notifications, and takes everything down."""

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
from xnovu_poller.dev.demo.tally import Row, Tally, tally
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import SampleNotification, notifications
from xnovu_poller.dev.stack import STANDIN_KEY, Stack
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import Status

WORKER = "worker"
INSERTS_PER_SECOND = 25

PATIENCE = timedelta(seconds=90)
"""From the last insert on; a machine under load takes a while."""

LAST_LOOK = timedelta(seconds=2.5)
"""Two turns of every loop: what has to stay as it is has had its chance to move."""

BRISK = {
    "POLL_INTERVAL_MS": "1000",
    "SCHEDULED_POLL_INTERVAL_MS": "1000",
    "FAILED_POLL_INTERVAL_MS": "1000",
}

_AT_REST = frozenset({Status.SENT, Status.DEAD, Status.RETRACTED})

_ROWS = """
SELECT id, notification_status::text, attempt, transaction_id, coalesce(scheduled_for, created_at),
    coalesce(error_details ->> 'code', retraction_reason)
FROM notify.ent_notification
"""

Written = Sequence[tuple[SampleNotification, int | None]]
"""Samples with the ids of their rows; None: the insert was refused."""


class Tell(Protocol):
    """Is told what is being done, and how far it has come."""

    def __call__(self, doing: str, done: int = 0, of: int | None = None, /) -> None:
        """Take it; `of` None: it cannot be counted."""


def _nobody(_doing: str, _done: int = 0, _of: int | None = None, /) -> None:
    """Tell nobody."""


class Demo:
    """One run of the sample notifications through the real system.

    Guarantee: whatever interrupts or ends it, no server and no worker stays behind.
    """

    def __init__(self, folder: Path, tell: Tell = _nobody) -> None:
        """Describe a run; nothing is up yet.

        Args:
            folder: a stack's folder; rows, ledger and logs stay there.
            tell: is told what is being done.
        """
        self.stack = Stack(folder)
        self._tell = tell
        self._worker: Child | None = None

    @property
    def servers(self) -> list[Child]:
        """What was started, in that order; the worker is the last."""
        return [*self.stack.servers, *([self._worker] if self._worker else [])]

    def run(self) -> Tally:
        """Do it all.

        Raises:
            ServerFailed: a server or the worker did not come up, or ended by itself.
            StoreError: PostgreSQL does not answer, or cannot be brought to this version's schema.
        """
        try:
            self.stack.start(report=self._tell)
            with (
                StandIn(self.stack.standin_url, STANDIN_KEY) as standin,
                _connected(self.stack, "xnovu_worker") as operator,
                _connected(self.stack, "xnovu_tenant") as tenant,
            ):
                self._tell("Loading workflows, templates and topics")
                load_suite(operator)
                for topic in topics():
                    standin.register(topic)
                self._tell("Starting the worker")
                self._start_worker()
                written = self._insert(tenant, standin)
                self._wait(operator, written)
                return tally(_read(operator, written), standin.arrivals())
        except psycopg.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self._tell("Stopping everything")
            self._stop()

    def _start_worker(self) -> None:
        port = free_port()
        self._worker = Child(
            WORKER,
            [sys.executable, "-m", "xnovu_poller", "worker", "start"],
            folder=self.stack.folder,
            # Nothing of our own environment: a setting that lies about there is not meant for the demo.
            environment={
                **self.stack.environment,
                **BRISK,
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
        """Insert at an even pace while the worker delivers, so that waits are those of a system at work."""
        samples = notifications()
        written: list[tuple[SampleNotification, int | None]] = []
        begun = time.monotonic()
        for sample in samples:
            time.sleep(max(0.0, begun + len(written) / INSERTS_PER_SECOND - time.monotonic()))
            written.append((sample, insert(tenant, sample, standin)))
            self._tell("Inserting notifications, which the worker delivers", len(written), len(samples))
            self._check_servers()
        return written

    def _wait(self, operator: Connection[TupleRow], written: Written) -> None:
        """Wait until all is as expected or at rest, or patience is at its end; then look once more."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        done = 0
        while done < len(written) and time.monotonic() < deadline:
            done = sum(_is_settled(*each) for each in _read(operator, written))
            self._tell("Waiting until the last is delivered", done, len(written))
            self._check_servers()
            time.sleep(0.1)
        self._tell("Looking whether all stays as it is")
        time.sleep(LAST_LOOK.total_seconds())
        self._check_servers()

    def _check_servers(self) -> None:
        for server in self.servers:
            if not server.is_running:
                raise ServerFailed(server.name, "ended", server.last_words())


@contextmanager
def _connected(stack: Stack, role: str) -> Iterator[Connection[TupleRow]]:
    """Connect as a member of a role; each statement outside a transaction is its own."""
    url = stack.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, options=f"-c role={role}") as connection:
        yield connection


def _read(operator: Connection[TupleRow], written: Written) -> list[tuple[SampleNotification, Row | None]]:
    rows = {
        row_id: Row(
            status=Status(status), attempt=attempt, transaction_id=transaction, due_at=due_at, reason=reason
        )
        for row_id, status, attempt, transaction, due_at, reason in operator.execute(_ROWS)
    }
    return [(sample, None if row_id is None else rows[row_id]) for sample, row_id in written]


def _is_settled(sample: SampleNotification, row: Row | None) -> bool:
    return row is None or row.status is sample.expected or row.status in _AT_REST


def _is_healthy(port: int) -> bool:
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/health", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == HTTPStatus.OK
