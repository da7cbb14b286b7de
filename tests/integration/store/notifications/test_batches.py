"""Batches: locked rows are skipped and tried again, and a stop leaves a true count in the audit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from tests.support.rows import Db, a_notification, notifications, open_db, row
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.batches import SIZE, TRIES, in_batches
from xnovu_poller.store.notifications.by_operator import Retracted, retract

ACT = Act(action="retract", actor="ann", enterprise="acme", filters={}, counted=None)


async def in_one_part(ids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    """Yield ids as a walk does."""
    yield ids


@pytest.fixture
def pauses() -> list[float]:
    """Return the pauses that were made, in seconds."""
    return []


async def test_a_locked_row_is_tried_again_at_the_end(
    engine: Engine, db: Db, database: str, pauses: list[float]
) -> None:
    """It comes in a later batch than all others, once its holder has let it go."""
    locked, *others = notifications(db, SIZE + 1)
    line = await audit.start(engine, ACT)

    async def act(ids: Sequence[int]) -> Retracted:
        return await retract(engine, ids, "wrong text", audit=line)

    with open_db(database) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR KEY SHARE", [locked])

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                holder.execute("ROLLBACK")

        batches = [ids async for ids, _ in in_batches(in_one_part([locked, *others]), act, pause=pause)]

    assert batches == [others[: SIZE - 1], others[SIZE - 1 :], [], [locked]]
    assert pauses == [1, 2]
    assert {row(db, id_)["notification_status"] for id_ in (locked, *others)} == {"RETRACTED"}
    assert await audit.read_changed(engine, line) == SIZE + 1


async def test_a_row_that_stays_locked_comes_in_the_last_batch(
    engine: Engine, db: Db, database: str, pauses: list[float]
) -> None:
    """With a result that has it as locked."""
    locked = a_notification(db)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        found = [
            (ids, result.locked)
            async for ids, result in in_batches(
                in_one_part([locked]), lambda ids: retract(engine, ids, "why"), pause=pause
            )
        ]

    assert found == [([], {locked})] * TRIES + [([locked], {locked})]
    assert pauses == [1, 2, 4, 8, 8]
    assert row(db, locked)["notification_status"] == "PENDING"


async def test_a_stop_in_the_middle_leaves_whole_batches_and_a_true_count(engine: Engine, db: Db) -> None:
    """The line has no end, so that you see that it was interrupted."""
    ids = notifications(db, 3 * SIZE)
    line = await audit.start(engine, ACT)

    async with aclosing(
        in_batches(in_one_part(ids), lambda some: retract(engine, some, "why", audit=line))
    ) as batches:
        async for _ in batches:
            break

    states = [row(db, id_)["notification_status"] for id_ in ids]
    assert states == ["RETRACTED"] * SIZE + ["PENDING"] * 2 * SIZE
    assert await audit.read_changed(engine, line) == SIZE
    found = db.execute("SELECT finished_at FROM notify.ent_audit WHERE id = %s", [line]).fetchone()
    assert found == {"finished_at": None}
    assert Status.PENDING in states
