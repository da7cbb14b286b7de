"""A worker is killed between Novu's acceptance and the record of it."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.deaths import HASTY, OFTEN, PATIENT, given_up, killed
from tests.support.modes import Mode, in_every_mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker


@in_every_mode
async def test_the_repeat_is_dropped(
    db: Db, mode: Mode, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The next attempt has the same transaction id; the lapse and the unknown outcome are counted.

    The order is certain because Novu accepts, and then does not answer until the worker is dead.
    """
    novu_standin.fault("accept_then_hang")
    with running_worker(tmp_path, "killed", **{**worker_environment, **HASTY, **PATIENT}) as worker:
        made = together(db, mode, a_workflow(db))
        wait_until(lambda: novu_standin.stats()["accepted"] == len(made))
        killed(worker)
    left = [row(db, notification_id) for notification_id in made]
    assert {found["notification_status"] for found in left} == {"PROCESSING"}
    assert all(found["send_until"] for found in left)
    await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        until_settled(db)

    for notification_id in made:
        last = row(db, notification_id)
        assert (last["notification_status"], last["attempt"]) == ("SENT", 2)
        assert (last["lapses"], last["unknown_outcomes"], last["failure_count"]) == (1, 1, 0)
    assert novu_standin.stats()["triggers"] == 2 * len(made)
    assert_kept(db, novu_standin)
