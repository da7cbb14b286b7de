"""Novu stops while a worker runs, and starts again later: everything waits for it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.serve import BACKLOG, build_server

Settings = Mapping[str, str]

STATES = """
SELECT DISTINCT notification_status::text AS status, failure_count, unknown_outcomes, lapses
FROM notify.ent_notification WHERE id = ANY (%s)"""


@pytest.fixture
def kept_port() -> Iterator[int]:
    """Reserve a port of this machine without listening on it, so that connections are refused."""
    with _bound(0) as keeper:
        yield keeper.getsockname()[1]


@contextmanager
def served(environment: Environment, port: int) -> Iterator[NovuStandIn]:
    """Run a stand-in at a port; the environment keeps its memory when it ends."""
    server = build_server(environment)
    listener = _bound(port)
    listener.listen(BACKLOG)
    standin = NovuStandIn(f"http://{LOOPBACK}:{port}")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="novu-standin")
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield standin
    finally:
        standin.close()
        server.should_exit = True
        thread.join()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((LOOPBACK, port))
    return bound


def test_due_rows_stay_pending_until_novu_is_back(
    db: Db, worker_environment: Settings, kept_port: int, tmp_path: Path
) -> None:
    """A refused connection has not reached Novu for certain, so it never counts as a failure or an unknown outcome."""
    environment = Environment()
    workflow = a_workflow(db)
    address = {"NOVU_API_URL": f"http://{LOOPBACK}:{kept_port}", "MAX_FAILURES": "1"}
    with running_worker(tmp_path, **{**worker_environment, **address}) as worker:
        with served(environment, kept_port):
            before = a_notification(db, workflow=workflow)
            wait_until(lambda: row(db, before)["notification_status"] == "SENT")
        with db.transaction():
            made = [a_notification(db, workflow=workflow, enterprise=f"e{n % 3}") for n in range(30)]
        wait_until(lambda: worker.get_status()["gate"]["closed"])
        wait_until(lambda: {state["status"] for state in db.execute(STATES, [made])} == {"PENDING"})
        wait_until(lambda: "Novu: cannot serve now" in worker.component("novu")["detail"])
        with served(environment, kept_port) as standin:
            until_settled(db)
            assert db.execute(STATES, [made]).fetchall() == [
                {"status": "SENT", "failure_count": 0, "unknown_outcomes": 0, "lapses": 0}
            ]
            assert_kept(db, standin)
