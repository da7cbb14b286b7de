"""Deadlines that were written while the database's clock was ahead do not bind for as long as that."""

from datetime import timedelta

from tests.support.rows import Db, a_notification, open_db, row, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim

HOUR = timedelta(hours=1)
AHEAD = "2100-01-01T00:00Z"


async def recall(engine: Engine) -> dict[int, Status]:
    """Recall what lies more than an hour ahead."""
    return await by_claim.recall(engine, longest_lease=HOUR, longest_pause=HOUR)


async def test_leases_and_pauses_that_are_too_long_end_now(engine: Engine, db: Db) -> None:
    """A row of each kind, of several enterprises; nothing else of them changes."""
    leased = a_notification(db, status=Status.PROCESSING)
    failed = [a_notification(db, enterprise=name, status=Status.FAILED) for name in ("a", "b", "c")]
    written(db, leased, lease_expires_at=AHEAD, next_attempt_at="2020-01-01T00:00Z", send_until=AHEAD)
    for each in failed:
        written(db, each, next_attempt_at=AHEAD)
    before = row(db, leased)

    assert await recall(engine) == {leased: Status.PROCESSING} | dict.fromkeys(failed, Status.FAILED)

    after = row(db, leased)
    assert after["lease_expires_at"] <= after["updated_at"]
    assert (after["send_until"], after["next_attempt_at"]) == (
        before["send_until"],
        before["next_attempt_at"],
    )
    assert all(row(db, each)["next_attempt_at"] <= row(db, each)["updated_at"] for each in failed)
    assert await recall(engine) == {}


async def test_usual_deadlines_stay(engine: Engine, db: Db) -> None:
    """They lie within the longest lease and the longest pause."""
    for status in Status:
        a_notification(db, status=status)

    assert await recall(engine) == {}


async def test_a_locked_row_is_recalled_later(engine: Engine, db: Db, database: str) -> None:
    """The recall waits for nobody."""
    made = a_notification(db, status=Status.FAILED)
    written(db, made, next_attempt_at=AHEAD)
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification FOR UPDATE")
        assert await recall(engine) == {}
    assert await recall(engine) == {made: Status.FAILED}
