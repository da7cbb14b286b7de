"""Temporal is stopped or killed for longer than a lease: nobody else takes rows whose workflows it may still have."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.disaster import (
    SOON,
    TRIED,
    assert_nobody_died,
    assert_unharmed,
    due,
    send_under_way,
    sent,
    wait_until_unhealthy,
)
from tests.support.modes import mode_of
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker
from xnovu_poller.dev.temporal import Temporal

Environment = Mapping[str, str]


@pytest.fixture
def temporal_address(own_temporal: Temporal) -> str:
    """Return the address of the server that the test stops."""
    return own_temporal.address


def stop_in_order(server: Temporal) -> None:
    """Stop it cleanly."""
    server.stop()


def kill(server: Temporal) -> None:
    """Kill it."""
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


@pytest.mark.parametrize(
    ("mode", "strike"),
    [("single", stop_in_order), ("single", kill), ("group", kill), ("auto", kill)],
    indirect=["mode"],
)
def test_rows_wait_for_it_beyond_their_lease(
    own_temporal: Temporal,
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    strike: Callable[[Temporal], None],
) -> None:
    """A send under way is still recorded; claimed rows are released or started, but never twice."""
    with running_worker(tmp_path, **{**worker_environment, **SOON, "LEASE_MS": "6000"}) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        begun = send_under_way(db, workflow, novu_standin, mode_of(worker_environment))
        strike(own_temporal)
        novu_standin.clear_faults()
        sent(db, begun)
        meanwhile = due(db, workflow)
        wait_until_unhealthy(worker, "temporal", "does not answer")
        # The SDK gives up on a refused connection after 5.5 to 10 s: before or after the lease has lapsed.
        wait_until(lambda: db.execute(TRIED, [meanwhile]).rowcount)
        own_temporal.start()
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
