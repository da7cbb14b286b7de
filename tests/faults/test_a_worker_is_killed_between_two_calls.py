"""A worker is killed while a notification that needs several calls has only a part of them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.deaths import HASTY, OFTEN, PATIENT, given_up, killed
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_template, a_workflow, row
from tests.support.stalled import stalling_chunks, until_stalled
from tests.support.waiting import eventually, wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

CUT_OFF = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'xnovu:worker' AND datname = current_database()"""


def a_mail_and_a_push(db: Db) -> int:
    """Insert a notification whose mail is too large for a push message, so PUSH goes by itself."""
    keys = {"EMAIL": "long", "PUSH": "short"}
    for channel, body in (("EMAIL", "m" * 5_000), ("PUSH", "p")):
        a_template(db, key=keys[channel], channel_type=channel, body_template=body)
    channels: dict[str, Any] = {"default_channels": "{EMAIL,PUSH}", "template_overrides": keys}
    return a_notification(db, workflow=a_workflow(db, key="both", workflow_type="DYNAMIC", **channels))


@only("single", because="a notification with several calls shares none of them")
@pytest.mark.parametrize(
    ("fault", "mails"),
    [
        ({"kind": "accept_then_hang"}, 2),
        ({"kind": "hang_before_accept", "match": {"transaction_id": "*-push"}}, 1),
    ],
    ids=["after the first", "before the second"],
)
async def test_mail_and_push_arrive_once_each(
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    fault: dict[str, Any],
    mails: int,
) -> None:
    """The call with a recorded answer is not made again, and Novu drops the repeat of the other.

    The order is certain because Novu does not answer until the worker is dead.
    """
    novu_standin.fault(**fault)
    with running_worker(tmp_path, "killed", **{**worker_environment, **HASTY, **PATIENT}) as worker:
        made = a_mail_and_a_push(db)
        wait_until(lambda: novu_standin.faults() == [] and novu_standin.stats()["accepted"] == 1)
        killed(worker)
    assert row(db, made)["notification_status"] == "PROCESSING"
    await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        until_settled(db)

    ended = row(db, made)
    assert (ended["notification_status"], ended["attempt"], ended["lapses"]) == ("SENT", 2, 1)
    name = ended["transaction_id"]
    assert len(novu_standin.ledger(transaction_id=name)["triggers"]) == mails
    assert sorted(id_ for id_, _ in novu_standin.deliveries()) == [name, f"{name}-push"]
    assert_kept(db, novu_standin)


@only("single", because="a notification with several calls shares none of them")
@pytest.mark.parametrize("is_written", [False, True], ids=["rolled back", "written"])
async def test_chunks_that_were_being_written_are_sent_once(
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    *,
    is_written: bool,
) -> None:
    """The worker holds the notification, and dies before it has the rows of its chunks: nothing was sent.

    The order is certain because the statement that writes them does not end until the worker is dead.
    """
    with running_worker(tmp_path, "killed", **{**worker_environment, **HASTY, **PATIENT}) as worker:
        with stalling_chunks(db):
            made = a_notification(db, workflow=a_workflow(db), recipients=[f"s{n}" for n in range(250)])
            await until_stalled(worker_environment["DATABASE_URL"], "xnovu:worker")
            await asyncio.to_thread(killed, worker)
            if not is_written:
                db.execute(CUT_OFF)
        await eventually(lambda: number_of_chunks(db) == (3 if is_written else 0))
    assert novu_standin.stats()["triggers"] == 0
    assert row(db, made)["send_until"] is not None
    await given_up(db, worker_environment["TEMPORAL_ADDRESS"])

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        await asyncio.to_thread(until_settled, db)

    assert (row(db, made)["notification_status"], row(db, made)["lapses"]) == ("SENT", 1)
    assert novu_standin.stats()["triggers"] == 3
    assert_kept(db, novu_standin)


def number_of_chunks(db: Db) -> int:
    """Return how many rows of chunks there are."""
    return db.execute("SELECT FROM notify.ent_notification_delivery").rowcount
