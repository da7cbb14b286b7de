"""The deliveries of rows that another session has locked: they wait, and nothing counts against them."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.delivering import Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, attempt_of, open_db, row
from tests.support.waiting import WITHIN, eventually
from xnovu_poller.delivery import trigger as module
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Status

PEOPLE = [f"s{i:03}" for i in range(250)]
CLAIM = """
UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = attempt + 1,
    lease_expires_at = now() + interval '5 min', temporal_workflow_id = 'again'
WHERE id = %s"""
LOCK = "SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE"


async def test_an_outcome_waits_for_a_locked_row(
    executor: Delivering, db: Db, database: str, novu_standin: NovuStandIn
) -> None:
    """The delivery ends without it, and others are recorded at once. It is written when the lock is gone."""
    locked, other = a_claimed(db), a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(locked, other))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    with open_db(database) as holder, holder.transaction():
        holder.execute(LOCK, [locked.notification_id])
        novu_standin.clear_faults()

        assert await sending == [Status.SENT]
        assert row(db, other.notification_id)["notification_status"] == "SENT"
        assert row(db, locked.notification_id)["notification_status"] == "PROCESSING"
    await eventually(lambda: row(db, locked.notification_id)["notification_status"] == "SENT")

    kept = row(db, locked.notification_id)
    assert (kept["failure_count"], kept["lapses"], kept["unknown_outcomes"]) == (0, 0, 0)
    assert (novu_standin.stats()["triggers"], novu_standin.stats()["duplicates"]) == (2, 0)


async def test_the_end_of_the_process_writes_what_it_still_can(
    executor: Delivering, db: Db, database: str, novu_standin: NovuStandIn
) -> None:
    """It tries once more; a row that stays locked lapses later."""
    locked, other = a_claimed(db), a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(locked, other))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    with open_db(database) as holder, open_db(database) as short, holder.transaction():
        holder.execute(LOCK, [locked.notification_id])
        with short.transaction():
            short.execute(LOCK, [other.notification_id])
            novu_standin.clear_faults()
            assert await sending == []
        await executor.delivery.aclose()

    assert row(db, other.notification_id)["notification_status"] == "SENT"
    assert row(db, locked.notification_id)["notification_status"] == "PROCESSING"


async def test_a_locked_row_is_left_for_later_and_delays_no_other(
    executor: Delivering, db: Db, database: str, novu_standin: NovuStandIn
) -> None:
    """It is no failure on the last try either: the rescue releases it once it can be written."""
    locked, other = a_claimed(db), a_claimed(db)
    before = row(db, locked.notification_id)
    with open_db(database) as holder, holder.transaction():
        holder.execute(LOCK, [locked.notification_id])
        with pytest.raises(Unfinished):
            await executor.deliver(locked, other)
        assert row(db, other.notification_id)["notification_status"] == "SENT"
        assert await executor.deliver(locked, other, last=True) == []
        assert await executor.delivery.record_lost_contact([locked]) == {}
    assert row(db, locked.notification_id) == before

    assert await executor.deliver(locked) == [Status.SENT]


async def test_a_locked_notification_keeps_the_answers_of_its_chunks(
    executor: Delivering, db: Db, database: str, novu_standin: NovuStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to a chunk waits for a short lock; then the next chunk is sent, and none is sent again."""
    # A slow test holds the lock for longer than three seconds.
    monkeypatch.setattr(module, "_LOCKED_PATIENCE", timedelta(seconds=WITHIN))
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    with open_db(database) as holder, holder.transaction():
        holder.execute(LOCK, [attempt.notification_id])
        novu_standin.clear_faults()
        await eventually(lambda: novu_standin.stats()["deliveries"] == 100)

    assert await sending == [Status.SENT]
    assert (novu_standin.stats()["triggers"], novu_standin.stats()["duplicates"]) == (3, 0)


async def test_an_answer_that_a_lock_keeps_away_is_unknown_and_counts_no_failure(
    executor: Delivering, db: Db, database: str, novu_standin: NovuStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk is sent again under its own transaction id, and Novu drops the repeat."""
    monkeypatch.setattr(module, "_LOCKED_PATIENCE", timedelta(0))
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(attempt, last=True))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    with open_db(database) as holder, holder.transaction():
        holder.execute(LOCK, [attempt.notification_id])
        novu_standin.clear_faults()
        assert await sending == []
    await eventually(lambda: row(db, attempt.notification_id)["notification_status"] == "FAILED")
    kept = row(db, attempt.notification_id)
    assert (kept["failure_count"], kept["unknown_outcomes"], kept["lapses"]) == (0, 1, 0)

    db.execute(CLAIM, [attempt.notification_id])
    assert await executor.deliver(attempt_of(db, attempt.notification_id)) == [Status.SENT]
    assert (novu_standin.stats()["deliveries"], novu_standin.stats()["duplicates"]) == (250, 0)
