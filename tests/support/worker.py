"""The worker as an operator runs it: a process, seen through its log and its HTTP server."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from tests.support.forked import HARMLESS, Fork
from tests.support.novu import NovuStandIn
from tests.support.postgres import as_worker
from tests.support.programs import ENVIRONMENT
from tests.support.rows import Db
from tests.support.waiting import WITHIN, wait_until

WARNINGS = ("-W", "error", *(part for message in HARMLESS for part in ("-W", f"default:{message}")))
STARTED_BY = SearchAttributeKey.for_keyword("TemporalScheduledById")
COMMAND = (sys.executable, *WARNINGS, "-m", "xnovu_poller")
START = ("worker", "start")
PROGRAM = (*COMMAND, *START)
"""The command line with which an operator starts a worker."""

QUICK: Mapping[str, str] = {
    "NOVU_SECRET_KEY": "key-1",
    "NOVU_TIMEOUT_MS": "5000",
    "POLL_INTERVAL_MS": "500",
    "SCHEDULED_POLL_INTERVAL_MS": "500",
    "FAILED_POLL_INTERVAL_MS": "500",
    "LEASE_MS": "10000",
    "WORKER_HEALTH_HOST": "127.0.0.1",
    "WORKER_HEALTH_PORT": "0",
}
"""Settings of a worker that a test waits for."""

_LAST_WORDS = 5000


@dataclass(frozen=True, slots=True)
class WorkerProgram:
    """A running `xnovu worker start`."""

    child: subprocess.Popen[bytes] | Fork
    log: Path
    token: str | None = None

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log with an event."""
        whole = self.log.read_bytes().rpartition(b"\n")[0].decode()
        logged = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in logged if line["event"] == event]

    def until_logged(self, event: str, *, within: float = WITHIN) -> dict[str, Any]:
        """Wait for an event in the log; return its last line."""
        wait_until(lambda: self.child.poll() is not None or self.lines(event), within=within)
        found = self.lines(event)
        if not found:
            pytest.fail(f"no {event!r} in the log:\n{self.log.read_text()}", pytrace=False)
        return found[-1]

    @property
    def url(self) -> str:
        """The address of its HTTP server."""
        return f"http://127.0.0.1:{self.until_logged('health served')['port']}"

    def get(self, page: str) -> httpx.Response:
        """Request a page, with the token if the worker has one."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}/{page}", headers=headers, timeout=WITHIN, trust_env=False)

    def get_status(self) -> dict[str, Any]:
        """Return the content of /status."""
        status: dict[str, Any] = self.get("status").json()
        return status

    def children(self) -> list[int]:
        """Return the process ids of its executors, as the system knows them."""
        pid = self.child.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def component(self, name: str) -> dict[str, str]:
        """Return the status and the detail of one component in /health."""
        found: dict[str, str] = self.get("health").json()["components"][name]
        return {part: found[part] for part in ("status", "detail")}

    def metric(self, name: str) -> float:
        """Sum a metric over its labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("metrics").text)
            for sample in family.samples
            if sample.name == name
        )

    def ask(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        self.child.send_signal(number)

    def ended(self, *, within: float = WITHIN) -> int:
        """Wait for the end; return the exit code."""
        try:
            return self.child.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs:\n{self.log.read_text()}", pytrace=False)

    def stop(self) -> int:
        """Send SIGTERM and wait; return the exit code."""
        self.ask()
        return self.ended()


@contextmanager
def running_worker(
    folder: Path,
    name: str = "worker",
    prepare: Callable[[], None] | None = None,
    /,
    *,
    program: Sequence[str] | None = None,
    **environment: str,
) -> Iterator[WorkerProgram]:
    """Run a worker with its log in the folder; kill it afterwards if it still runs, and write the end of its log.

    Args:
        folder: the folder for its log and its temporary files.
        name: the name of the log.
        prepare: a function of a module of ours that the fork calls first.
        program: the command line, if the start of Python matters; None: a fork, which starts much sooner.
        environment: its settings; they override those of `QUICK`. A superuser's login becomes that of a worker.
    """
    log = folder / f"{name}.log"
    log.write_bytes(b"")
    whole = {**ENVIRONMENT, **QUICK, "TMPDIR": str(folder), **environment}
    whole["DATABASE_URL"] = as_worker(whole["DATABASE_URL"])
    with _executed(program, whole, log) if program else Fork(START, whole, log, prepare=prepare) as child:
        try:
            yield WorkerProgram(child, log, whole.get("WORKER_HTTP_TOKEN"))
        finally:
            child.kill()
            # Pytest shows it if the test fails.
            sys.stderr.write(log.read_text(errors="replace")[-_LAST_WORDS:])


def _executed(program: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            program,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@pytest.fixture
def worker_environment(
    database: str, temporal_address: str, task_queue: str, novu_standin: NovuStandIn
) -> Iterator[dict[str, str]]:
    """Yield the settings of a worker on this test's servers; delete its schedules and its runs afterwards."""
    yield {
        "DATABASE_URL": database,
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_TASK_QUEUE": task_queue,
        "NOVU_API_URL": novu_standin.url,
    }
    asyncio.run(_clear(temporal_address, task_queue))


async def _clear(temporal_address: str, task_queue: str) -> None:
    """Delete the schedules and runs of a task queue: nobody polls it any more, but Temporal would work on them."""
    with suppress(RuntimeError, RPCError):  # the server may have been struck for good
        client = await Client.connect(temporal_address)
        query = f"TaskQueue = '{task_queue}' AND TemporalScheduledById IS NOT NULL"
        started = client.list_workflows(query, limit=100)
        for schedule in {run.typed_search_attributes[STARTED_BY] async for run in started}:
            with suppress(RPCError):  # a test may have deleted it
                await client.get_schedule_handle(schedule).delete()
        async for run in client.list_workflows(f"TaskQueue = '{task_queue}' AND ExecutionStatus = 'Running'"):
            with suppress(RPCError):  # it may have ended
                await client.get_workflow_handle(run.id).terminate()


def deliveries(db: Db, standin: NovuStandIn) -> list[int]:
    """Count how often each delivery of this database's notifications was made."""
    # A call that the test before left hanging may end in the ledger of this test.
    ours = {row["transaction_id"] for row in db.execute("SELECT transaction_id FROM notify.ent_notification")}
    return [times for (transaction_id, _), times in standin.deliveries().items() if transaction_id in ours]
