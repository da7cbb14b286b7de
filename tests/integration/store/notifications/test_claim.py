"""The claim: each loop takes its own rows, and nobody else takes them too."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.rows import (
    Db,
    a_notification,
    a_workflow,
    notifications,
    open_db,
    row,
)
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
HOUR = timedelta(hours=1)


async def test_a_claim_takes_a_due_row_under_a_new_attempt(engine: Engine, db: Db) -> None:
    """PENDING → PROCESSING, with all that a handoff needs."""
    made = a_notification(db, workflow=a_workflow(db, key="order-shipped"), priority=7)

    [claimed], _ = await claim(engine, NEW, TERMS, Cursor())

    assert claimed.attempt == Attempt(made, 1)
    assert claimed.enterprise_id == "acme"
    assert claimed.workflow_key == "order-shipped"
    assert claimed.run_id == f"abc-notification-{made}-1"
    assert claimed.priority == 7
    kept = row(db, made)
    assert kept["notification_status"] == "PROCESSING"
    assert kept["temporal_workflow_id"] == claimed.run_id
    assert kept["send_until"] is None
    assert timedelta(0) < kept["lease_expires_at"] - kept["updated_at"] <= timedelta(seconds=30)


async def test_a_row_without_a_workflow_is_claimed_all_the_same(engine: Engine, db: Db) -> None:
    """It ends DEAD in the executor, which says why."""
    a_notification(db)

    [claimed], _ = await claim(engine, NEW, TERMS, Cursor())

    assert claimed.workflow_key is None


@pytest.mark.parametrize("due", [SCHEDULED, FAILED], ids=lambda due: due.name)
async def test_each_loop_claims_its_own(engine: Engine, db: Db, due: Due) -> None:
    """A claim of the failed loop takes nothing that is scheduled, and the other way round."""
    scheduled = a_notification(db, scheduled_for="2020-01-01T00:00Z")
    failed = a_notification(db, status=Status.FAILED)

    claims, _ = await claim(engine, due, TERMS, Cursor())

    assert [one.notification_id for one in claims] == [scheduled if due is SCHEDULED else failed]


async def test_a_second_claim_finds_nothing(engine: Engine, db: Db) -> None:
    """What is claimed is not due."""
    notifications(db, 3)

    first, cursor = await claim(engine, NEW, TERMS, Cursor())
    second, _ = await claim(engine, NEW, TERMS, cursor)

    assert (len(first), second) == (3, [])


async def test_eight_claimers_never_take_the_same_row(engine: Engine, db: Db) -> None:
    """Every row is claimed once, by one of them."""
    made = [*notifications(db, 250), *notifications(db, 250, enterprise="globex")]
    terms = replace(TERMS, batch=20)

    async def drain() -> list[Attempt]:
        cursor, mine = Cursor(), list[Attempt]()
        while True:
            claims, cursor = await claim(engine, NEW, terms, cursor)
            if not claims:
                return mine
            mine += [one.attempt for one in claims]

    taken = [one for mine in await asyncio.gather(*(drain() for _ in range(8))) for one in mine]
    rest, _ = await claim(engine, NEW, replace(TERMS, batch=500), Cursor())

    assert len(taken) == len(set(taken))
    assert sorted([*taken, *(one.attempt for one in rest)]) == [Attempt(id_, 1) for id_ in made]


async def test_a_claim_leaves_what_another_has_locked(engine: Engine, db: Db, database: str) -> None:
    """SKIP LOCKED: nobody waits for a producer that holds its row."""
    locked, free = notifications(db, 2)
    with open_db(database) as producer, producer.transaction():
        producer.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        claims, _ = await claim(engine, NEW, TERMS, Cursor())

    assert [one.notification_id for one in claims] == [free]
