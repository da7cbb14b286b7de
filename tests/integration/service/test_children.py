"""WORKER_PROCESSES: further processes that execute, and that never outlive the worker."""

import os
import signal
from contextlib import suppress

from tests.integration.service.conftest import child_of
from tests.support.programs import is_alive
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram

SENT = "SELECT FROM notify.ent_notification WHERE notification_status = 'SENT'"


def test_a_killed_child_is_replaced(worker: WorkerProgram) -> None:
    """/health shows the gap, and the worker continues."""
    killed = child_of(worker)

    def shows_the_gap() -> bool:
        # The gap lasts two seconds: a slow test may have missed it, and makes another.
        for child in worker.children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return worker.component("worker")["status"] == "degraded"

    wait_until(shows_the_gap)
    assert worker.get("health").status_code == 200

    assert child_of(worker) != killed
    assert worker.get_status()["executors"]["restarts"] >= 1
    wait_until(lambda: worker.component("worker")["status"] == "healthy")
    wait_until(lambda: len(worker.lines("executor started")) >= 2)
    assert worker.stop() == 0


def test_a_killed_worker_leaves_nothing_behind(worker: WorkerProgram) -> None:
    """The child stops cleanly, and its begun sends are recorded."""
    child = child_of(worker)

    worker.ask(signal.SIGKILL)
    worker.ended()

    wait_until(lambda: not is_alive(child))
    assert worker.lines("executor stopped")
