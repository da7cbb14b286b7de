"""Claims keep the queue short: no more rows are claimed than soon are begun."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tests.support.rows import Db, a_notification, back_dated, notifications, open_db
from xnovu_poller.lifecycle import Claim, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.backlog import look_at_queue
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.queue import Queue

TERMS = Terms(prefix="abc", batch=150, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
FIFTY = Cursor(queue=Queue(most=50))


async def begin(engine: Engine, claims: Sequence[Claim]) -> None:
    """Begin to send claimed rows."""
    await hold(engine, [claimed.attempt for claimed in claims], deadline=timedelta(minutes=1))


def stay_queued(db: Db, claims: Sequence[Claim]) -> None:
    """Let claimed rows be queued for longer than a slow test takes."""
    for claimed in claims:
        back_dated(db, claimed.notification_id, timedelta(minutes=-10), "claimed_at")


async def is_full(engine: Engine, cursor: Cursor, due: Due = NEW) -> bool:
    """Return whether the loop must look again soon."""
    found = await look_at_queue(
        engine, due, cursor.queue, max_in_flight=TERMS.max_in_flight, enterprises=None
    )
    return found is not None


async def test_claims_wait_until_half_of_the_queue_is_begun(engine: Engine, db: Db) -> None:
    """Rows that are being sent take no place in the queue."""
    notifications(db, 150)

    first, cursor = await claim(engine, NEW, TERMS, FIFTY)
    stay_queued(db, first)
    taken = [len(first)]
    assert await is_full(engine, cursor)
    for begun in (first[:20], first[20:25]):
        await begin(engine, begun)
        claims, _ = await claim(engine, NEW, TERMS, cursor)
        taken.append(len(claims))

    assert taken == [50, 0, 25]


async def test_a_loop_without_due_rows_does_not_look_again_soon(engine: Engine, db: Db) -> None:
    """The queue is full during each backlog, and the other loops would ask ten times a second."""
    notifications(db, 150)
    a_notification(db, scheduled_for="2100-01-01T00:00Z")
    claims, cursor = await claim(engine, NEW, TERMS, FIFTY)
    stay_queued(db, claims)

    assert [await is_full(engine, cursor, due) for due in (NEW, SCHEDULED, FAILED)] == [True, False, False]
    a_notification(db, enterprise="globex", scheduled_for="2020-01-01T00:00Z")
    a_notification(db, enterprise="globex", status=Status.FAILED)
    assert [await is_full(engine, cursor, due) for due in (SCHEDULED, FAILED)] == [True, True]


async def test_a_locked_row_of_a_rival_does_not_slow_a_backlog(engine: Engine, db: Db, database: str) -> None:
    """The backlog gets half of the queue, and the loop looks again soon."""
    notifications(db, 150)
    notifications(db, 1, enterprise="globex")

    with open_db(database) as rival, rival.transaction():
        rival.execute("SELECT FROM notify.ent_notification WHERE enterprise_id = 'globex' FOR UPDATE")
        first, cursor = await claim(engine, NEW, TERMS, FIFTY)
        stay_queued(db, first)
        second, cursor = await claim(engine, NEW, TERMS, cursor)
        assert await is_full(engine, cursor)

    assert [len(first), len(second)] == [25, 0]


async def test_a_row_that_has_waited_for_long_takes_no_place(engine: Engine, db: Db) -> None:
    """Its application has locked it, or no executor lives; others must not wait for that."""
    notifications(db, 150)
    first, cursor = await claim(engine, NEW, TERMS, FIFTY)
    for claimed in first:
        back_dated(db, claimed.notification_id, timedelta(seconds=3), "claimed_at")

    assert not await is_full(engine, cursor)
    claims, _ = await claim(engine, NEW, TERMS, cursor)
    assert len(claims) == 50


async def test_nobody_has_more_than_half_of_the_queue_while_another_has_due_rows(
    engine: Engine, db: Db
) -> None:
    """So an enterprise that locks its rows leaves half to others."""
    notifications(db, 150, enterprise="acme")
    first, cursor = await claim(engine, NEW, TERMS, FIFTY)
    stay_queued(db, first)
    await begin(engine, first[25:])
    notifications(db, 150, enterprise="globex")

    claims, _ = await claim(engine, NEW, TERMS, cursor)

    assert Counter(claimed.enterprise_id for claimed in claims) == {"globex": 13}


async def test_the_queue_grows_if_it_was_found_empty(engine: Engine, db: Db) -> None:
    """Each claim that finds all rows begun doubles it; a look without due rows does not."""
    notifications(db, 50 + 100 + 200)
    cursor, sizes = FIFTY, list[int]()
    for _ in range(4):
        claims, cursor = await claim(engine, NEW, replace(TERMS, batch=500), cursor)
        sizes.append(len(claims))
        await begin(engine, claims)

    assert sizes == [50, 50, 100, 150]
