"""A worker that is stopping is killed before it has finished."""

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.deaths import HASTY, OFTEN, PATIENT, given_up
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker


@pytest.mark.parametrize(
    ("last_word", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 1)],
    ids=["after the grace", "by a second signal"],
)
async def test_another_replica_finishes_the_sends_under_way(
    db: Db,
    worker_environment: Mapping[str, str],
    novu_standin: NovuStandIn,
    tmp_path: Path,
    last_word: signal.Signals,
    code: int,
) -> None:
    """The sends under way are repeated under the same transaction id; a row of the meantime is sent once.

    The order is certain because a call to Novu is under way, and lasts until the worker is dead.
    """
    novu_standin.fault("accept_then_hang", times=None)
    workflow = a_workflow(db)
    with running_worker(tmp_path, "killed", **{**worker_environment, **HASTY, **PATIENT}) as worker:
        with db.transaction():
            begun = [a_notification(db, workflow=workflow) for _ in range(3)]
        wait_until(lambda: novu_standin.stats()["accepted"] == 3)
        worker.ask()
        worker.until_logged("worker stopping")
        a_notification(db, workflow=workflow)
        worker.ask(last_word)
        assert worker.ended() == code
    assert {row(db, notification_id)["notification_status"] for notification_id in begun} == {"PROCESSING"}
    novu_standin.clear_faults()
    await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        until_settled(db)

    assert {
        (row(db, notification_id)["attempt"], row(db, notification_id)["lapses"]) for notification_id in begun
    } == {(2, 1)}
    assert novu_standin.stats()["triggers"] == 7
    assert_kept(db, novu_standin)
