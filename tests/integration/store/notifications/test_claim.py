"""The claim: each loop takes its own rows, and no two claims take the same row."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.claiming import WIDE
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
from xnovu_poller.store.notifications.claim import Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
HOUR = timedelta(hours=1)


async def test_a_claim_takes_a_due_row_under_a_new_attempt(engine: Engine, db: Db) -> None:
    """PENDING becomes PROCESSING, and the claim has everything that a handoff needs."""
    made = a_notification(db, workflow=a_workflow(db, key="order-shipped"), priority=7)

    [claimed], _ = await claim(engine, NEW, TERMS, WIDE)

    assert claimed.attempt == Attempt(made, 1)
    assert claimed.enterprise_id == "acme"
    assert claimed.workflow_key == "order-shipped"
    assert claimed.run_id == f"abc-notification-{made}-1"
    assert claimed.priority == 7
    kept = row(db, made)
    assert kept["notification_status"] == "PROCESSING"
    assert kept["temporal_workflow_id"] == claimed.run_id
    assert kept["send_until"] is None
    assert abs(kept["updated_at"] - kept["claimed_at"]) <= timedelta(seconds=31)
    assert timedelta(0) < kept["lease_expires_at"] - kept["claimed_at"] <= timedelta(seconds=31)


async def test_a_row_without_a_workflow_is_claimed_too(engine: Engine, db: Db) -> None:
    """It ends DEAD in the executor, with the reason."""
    a_notification(db)

    [claimed], _ = await claim(engine, NEW, TERMS, WIDE)

    assert claimed.workflow_key is None


@pytest.mark.parametrize("due", [SCHEDULED, FAILED], ids=lambda due: due.name)
async def test_each_loop_claims_its_own_rows(engine: Engine, db: Db, due: Due) -> None:
    """A claim of the failed loop takes no scheduled row, and a claim of the scheduled loop no failed row."""
    scheduled = a_notification(db, scheduled_for="2020-01-01T00:00Z")
    failed = a_notification(db, status=Status.FAILED)

    claims, _ = await claim(engine, due, TERMS, WIDE)

    assert [claimed.notification_id for claimed in claims] == [scheduled if due is SCHEDULED else failed]


async def test_a_second_claim_finds_nothing(engine: Engine, db: Db) -> None:
    """A claimed row is not due."""
    notifications(db, 3)

    first, cursor = await claim(engine, NEW, TERMS, WIDE)
    second, _ = await claim(engine, NEW, TERMS, cursor)

    assert (len(first), second) == (3, [])


async def test_eight_claimers_never_take_the_same_row(engine: Engine, db: Db) -> None:
    """Every row is claimed once, by one of them."""
    made = [*notifications(db, 250), *notifications(db, 250, enterprise="globex")]
    terms = replace(TERMS, batch=20)

    async def drain() -> list[Attempt]:
        cursor, claimed = WIDE, list[Attempt]()
        while True:
            claims, cursor = await claim(engine, NEW, terms, cursor)
            if not claims:
                return claimed
            claimed += [taken_now.attempt for taken_now in claims]

    taken = [attempt for claimed in await asyncio.gather(*(drain() for _ in range(8))) for attempt in claimed]
    rest, _ = await claim(engine, NEW, replace(TERMS, batch=500), WIDE)

    assert len(taken) == len(set(taken))
    assert sorted([*taken, *(unclaimed.attempt for unclaimed in rest)]) == [Attempt(id_, 1) for id_ in made]


async def test_a_claim_skips_locked_rows(engine: Engine, db: Db, database: str) -> None:
    """With SKIP LOCKED no claim waits for a producer's lock."""
    locked, free = notifications(db, 2)
    with open_db(database) as producer, producer.transaction():
        producer.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        claims, _ = await claim(engine, NEW, TERMS, WIDE)

    assert [claimed.notification_id for claimed in claims] == [free]
