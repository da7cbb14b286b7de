"""The arrows whose right is a claim: claim, release, extend, renew, expire."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.rows import (
    Db,
    a_notification,
    a_workflow,
    back_dated,
    notifications,
    open_db,
    row,
    work,
    written,
)
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import EXPIRE_AT_ONCE, Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
HOUR = timedelta(hours=1)


async def test_a_claim_takes_a_due_row_under_a_new_attempt(engine: Engine, db: Db) -> None:
    """PENDING → PROCESSING, with all that a handoff needs."""
    made = a_notification(db, workflow=a_workflow(db, key="order-shipped"), priority=7)

    [claimed], _ = await claim(engine, NEW, TERMS, Cursor())

    assert claimed.work == Attempt(made, 1)
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

    first, place = await claim(engine, NEW, TERMS, Cursor())
    second, _ = await claim(engine, NEW, TERMS, place)

    assert (len(first), second) == (3, [])


async def test_eight_claimers_never_take_the_same_row(engine: Engine, db: Db) -> None:
    """Every row is claimed once, by one of them."""
    made = [*notifications(db, 250), *notifications(db, 250, enterprise="globex")]
    terms = replace(TERMS, batch=20)

    async def drain() -> list[Attempt]:
        place, mine = Cursor(), list[Attempt]()
        while True:
            claims, place = await claim(engine, NEW, terms, place)
            if not claims:
                return mine
            mine += [one.work for one in claims]

    taken = [one for mine in await asyncio.gather(*(drain() for _ in range(8))) for one in mine]
    rest, _ = await claim(engine, NEW, replace(TERMS, batch=500), Cursor())

    assert len(taken) == len(set(taken))
    assert sorted([*taken, *(one.work for one in rest)]) == [Attempt(id_, 1) for id_ in made]


async def test_a_claim_leaves_what_another_has_locked(engine: Engine, db: Db, database: str) -> None:
    """SKIP LOCKED: nobody waits for a producer that holds its row."""
    locked, free = notifications(db, 2)
    with open_db(database) as producer, producer.transaction():
        producer.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        claims, _ = await claim(engine, NEW, TERMS, Cursor())

    assert [one.notification_id for one in claims] == [free]


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_a_release_gives_back_where_the_row_came_from(engine: Engine, db: Db, start: Status) -> None:
    """The attempt stays, nothing is counted, and the row is due again."""
    made = a_notification(db, status=start)
    due = NEW if start is Status.PENDING else FAILED
    [claimed], place = await claim(engine, due, TERMS, Cursor())
    failures = row(db, made)["failure_count"]

    assert await by_claim.release(engine, [claimed.work]) == {made}

    kept = row(db, made)
    assert kept["notification_status"] == start
    assert (kept["lease_expires_at"], kept["failure_count"]) == (None, failures)
    [again], _ = await claim(engine, due, TERMS, place)
    assert again.attempt == claimed.attempt + 1


async def test_a_release_is_refused_once_a_send_has_begun(engine: Engine, db: Db) -> None:
    """Somebody holds the row: it may be on its way to Novu."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until="2100-01-01T00:00Z")

    assert await by_claim.release(engine, [work(db, made)]) == set()
    assert row(db, made)["notification_status"] == "PROCESSING"


async def test_a_release_is_refused_while_a_lapse_is_unrecorded(engine: Engine, db: Db) -> None:
    """A send that nobody recorded may have been accepted."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made, HOUR, "send_until")

    assert await by_claim.release(engine, [work(db, made)]) == set()


async def test_a_release_of_another_attempt_is_late(engine: Engine, db: Db) -> None:
    """The attempt is the right to write."""
    made = a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, [Attempt(made, 2), Attempt(made, 0)]) == set()
    assert row(db, made)["notification_status"] == "PROCESSING"


async def test_extend_lets_the_lease_go_on_under_the_same_attempt(engine: Engine, db: Db) -> None:
    """Temporal still has the workflow."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)

    assert await by_claim.extend(engine, [work(db, made)], timedelta(minutes=1)) == {made}

    kept = row(db, made)
    assert kept["attempt"] == 1
    assert kept["lease_expires_at"] > kept["updated_at"]


async def test_renew_claims_a_lapsed_send_anew(engine: Engine, db: Db) -> None:
    """The next attempt runs alone, under its own workflow id; the lapse is left for its hold to count."""
    made = a_notification(db, status=Status.PROCESSING, workflow=a_workflow(db, key="order-shipped"))
    back_dated(db, made, HOUR, "lease_expires_at", "send_until")

    [claimed] = await by_claim.renew(engine, [work(db, made)], TERMS)

    assert claimed.work == Attempt(made, 2)
    assert claimed.run_id == f"abc-notification-{made}-2"
    assert claimed.workflow_key == "order-shipped"
    kept = row(db, made)
    assert kept["send_until"] is not None
    assert kept["lease_expires_at"] > kept["updated_at"]


@pytest.mark.parametrize("lapsed", ["lease_expires_at", "send_until"])
async def test_renew_is_refused_while_either_still_runs(engine: Engine, db: Db, lapsed: str) -> None:
    """A live send, or a lease that an executor has prolonged meanwhile, is somebody's right."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until="2100-01-01T00:00Z")
    back_dated(db, made, HOUR, lapsed)

    assert await by_claim.renew(engine, [work(db, made)], TERMS) == []
    assert row(db, made)["attempt"] == 1


async def test_renew_leaves_what_no_send_has_begun_to_release(engine: Engine, db: Db) -> None:
    """Nothing was sent, so nothing has lapsed."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)

    assert await by_claim.renew(engine, [work(db, made)], TERMS) == []
    assert await by_claim.release(engine, [work(db, made)]) == {made}


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_expire_retracts_what_nobody_wants_any_more(engine: Engine, db: Db, start: Status) -> None:
    """PENDING or FAILED → RETRACTED, with its reason and without a mark of doubt."""
    made = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")

    assert await by_claim.expire(engine) == 1

    kept = row(db, made)
    assert kept["notification_status"] == "RETRACTED"
    assert kept["retraction_reason"] == "expired"
    assert kept["retracted_at"] is not None


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SENT, Status.DEAD])
async def test_expire_leaves_what_is_under_way_or_over(engine: Engine, db: Db, status: Status) -> None:
    """PROCESSING rows expire in their hold; final ones not at all."""
    a_notification(db, status=status, expires_at="2020-01-01T00:00Z")

    assert await by_claim.expire(engine) == 0


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_expire_leaves_what_may_have_been_accepted(engine: Engine, db: Db, start: Status) -> None:
    """An unknown outcome, or a chunk that went out, needs Novu's cancel first."""
    doubtful = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")
    written(db, doubtful, unknown_outcomes=1)
    begun = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")
    db.execute(
        "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, 'acme', '{s}', 'xn', 0, 'accepted')",
        [begun],
    )

    assert await by_claim.expire(engine) == 0


async def test_expire_takes_a_thousand_at_once(engine: Engine, db: Db) -> None:
    """One turn is bounded; the next takes the rest."""
    notifications(db, EXPIRE_AT_ONCE + 5)
    db.execute("UPDATE notify.ent_notification SET expires_at = now() - interval '1 s'")
    kept = a_notification(db, expires_at="2100-01-01T00:00Z")

    assert [await by_claim.expire(engine) for _ in range(3)] == [EXPIRE_AT_ONCE, 5, 0]
    assert row(db, kept)["notification_status"] == "PENDING"
