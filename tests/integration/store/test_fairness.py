"""Nobody waits behind a big backlog, and a loop's memory of it hides no row for long."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.claiming import WIDE
from tests.support.rows import Db, a_notification, notifications, open_db
from xnovu_poller.lifecycle import Claim
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications import claim as claim_module
from xnovu_poller.store.notifications import memory as memory_module
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import NEW, SCHEDULED
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.round_sql import EnterpriseScope
from xnovu_poller.store.notifications.verdict import Ending, Verdict

TERMS = Terms(prefix="abc", batch=20, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
SECOND = timedelta(seconds=1)


def ids_of(claims: list[Claim]) -> set[int]:
    """Return the ids of the claimed rows."""
    return {claimed.notification_id for claimed in claims}


async def finish(engine: Engine, claims: list[Claim]) -> None:
    """Deliver the claimed rows."""
    holding = await hold(engine, [claimed.attempt for claimed in claims], deadline=SECOND)
    await by_hold.record_sent(engine, [Verdict(Ending.SENT, held) for held in holding.held])


def expire_memory(cursor: Cursor, at: float = 0.0) -> Cursor:
    """Return the cursor with a memory that expires at another time; by default it has expired."""
    assert cursor.memory is not None
    return replace(cursor, memory=replace(cursor.memory, until=at))


async def remember(engine: Engine, terms: Terms = TERMS) -> Cursor:
    """Claim twice; the second claim uses what the first has seen."""
    cursor = WIDE
    for _ in range(2):
        _, cursor = await claim(engine, NEW, terms, cursor)
        assert cursor.memory is not None
    return cursor


async def test_a_single_row_is_claimed_within_two_turns_beside_a_nearly_full_deployment(
    engine: Engine, db: Db
) -> None:
    """The other enterprise has all but ten of the places in flight, and thousands more rows are due."""
    notifications(db, 3000)
    terms = replace(TERMS, batch=100, max_in_flight=510)
    cursor = WIDE
    for _ in range(5):
        _, cursor = await claim(engine, NEW, terms, cursor)
    single = a_notification(db, enterprise="zenith")

    turns = list[set[int]]()
    for _ in range(2):
        claims, cursor = await claim(engine, NEW, terms, cursor)
        turns.append(ids_of(claims))

    assert single in turns[0] | turns[1]


async def test_a_single_row_is_the_next_in_a_full_deployment(engine: Engine, db: Db) -> None:
    """As soon as any row is finished."""
    notifications(db, 300)
    terms = replace(TERMS, batch=100, max_in_flight=200)
    first, cursor = await claim(engine, NEW, terms, WIDE)
    _, cursor = await claim(engine, NEW, terms, cursor)
    single = a_notification(db, enterprise="zenith")
    none, cursor = await claim(engine, NEW, terms, cursor)
    await finish(engine, first[:1])

    claims, _ = await claim(engine, NEW, terms, cursor)

    assert (none, ids_of(claims)) == ([], {single})


async def test_a_newcomer_is_seen_at_once(engine: Engine, db: Db) -> None:
    """Before, between and after the remembered enterprises, each claim takes a row of each."""
    for enterprise in ("d", "m"):
        notifications(db, 200, enterprise=enterprise)
    cursor = await remember(engine)
    newcomers = {a_notification(db, enterprise=name) for name in ("a", "g", "z")}

    claims, _ = await claim(engine, NEW, TERMS, cursor)

    assert newcomers < ids_of(claims)


async def test_an_urgent_row_overtakes_at_once(engine: Engine, db: Db) -> None:
    """Although its enterprise is remembered, with no row of this priority."""
    notifications(db, 500)
    cursor = await remember(engine)
    urgent = a_notification(db, priority=9)

    claims, _ = await claim(engine, NEW, TERMS, cursor)

    assert urgent in ids_of(claims)


async def test_an_old_row_is_served_while_urgent_ones_keep_coming(engine: Engine, db: Db) -> None:
    """A place in ten is by age, so it takes at most ten claims, even if they are small; also with a memory."""
    patient = notifications(db, 1)[0]
    cursor, taken = WIDE, list[set[int]]()
    terms = replace(TERMS, batch=5)
    for _ in range(10):
        notifications(db, 10, priority=9)
        claims, cursor = await claim(engine, NEW, terms, cursor)
        taken.append(ids_of(claims))

    assert patient in set[int]().union(*taken)


async def test_a_late_commit_is_seen_when_the_memory_expires(engine: Engine, db: Db, database: str) -> None:
    """Its id is lower than those claimed meanwhile, and ever more rows come above."""
    with open_db(database) as producer, producer.transaction():
        [late] = notifications(producer, 1)
        notifications(db, 500)
        cursor = await remember(engine)
    hidden, cursor = await claim(engine, NEW, TERMS, expire_memory(cursor, inf))
    claims, _ = await claim(engine, NEW, TERMS, expire_memory(cursor))

    assert late not in ids_of(hidden)
    assert late in ids_of(claims)


async def test_a_late_commit_is_seen_before_a_loop_pauses(engine: Engine, db: Db, database: str) -> None:
    """A claim that finds nothing by its memory looks at everything."""
    with open_db(database) as producer, producer.transaction():
        [late] = notifications(producer, 1)
        notifications(db, 40)
        cursor = await remember(engine)
    claims, _ = await claim(engine, NEW, TERMS, cursor)

    assert ids_of(claims) == {late}


async def test_concurrent_claimers_exceed_the_limit_by_at_most_a_claim_each(
    engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop's memory cannot include the claims of others."""
    # After a slow look, as on a busy machine, rows in flight are not counted until the next look.
    monkeypatch.setattr(memory_module, "SLOW_LOOK", timedelta(hours=1))
    notifications(db, 900)
    terms, cursors = replace(TERMS, batch=50, max_in_flight=300), [WIDE] * 4
    # The first to connect takes long, and then trusts its memory for longer.
    await asyncio.gather(*(claim(engine, SCHEDULED, terms, cursor) for cursor in cursors))

    for _ in range(8):
        claimed = await asyncio.gather(*(claim(engine, NEW, terms, cursor) for cursor in cursors))
        cursors = [cursor for _, cursor in claimed]

    found = db.execute(
        "SELECT count(*) AS held FROM notify.ent_notification WHERE notification_status = 'PROCESSING'"
    ).fetchone()
    assert found is not None
    assert 300 <= found["held"] <= 300 + 4 * 50


async def test_released_rows_are_due_again(engine: Engine, db: Db) -> None:
    """Their ids are lower than those remembered."""
    notifications(db, 500)
    first, cursor = await claim(engine, NEW, TERMS, WIDE)
    await by_claim.release(engine, [claimed.attempt for claimed in first])

    claims, _ = await claim(engine, NEW, TERMS, expire_memory(cursor))

    assert ids_of(claims) == ids_of(first)


async def test_rows_claimed_before_cost_nothing(
    engine: Engine, db: Db, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session with an old snapshot keeps the index entries of all rows claimed since."""
    # Where reading is expensive, rows in flight are not counted either.
    monkeypatch.setattr(claim_module, "COUNTED_CHEAPLY", 0)
    for enterprise in ("acme", "globex"):
        notifications(db, 2000, enterprise=enterprise)
    with open_db(database) as old, old.transaction():
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT FROM notify.ent_notification LIMIT 1")
        cursor, terms = WIDE, replace(TERMS, batch=500)
        for _ in range(6):
            claims, cursor = await claim(engine, NEW, terms, cursor)
            await finish(engine, claims)
        by_memory = await _pages(engine, cursor)
        by_looking = await _pages(engine, WIDE)

    assert by_memory < by_looking / 5


async def _pages(engine: Engine, cursor: Cursor) -> int:
    """Count the pages that a claim of a single row reads before it writes."""
    scope = EnterpriseScope.KNOWN if cursor.memory else EnterpriseScope.ALL
    parameters = claim_module._bind(cursor.memory) | {
        "after": "",
        "login": "",
        "logins": [],
        "afters": [],
        "turn": 0,
        "limit": 1,
        "max_in_flight": 10_000,
        "lease": 30,
        "prefix": "abc",
        "group_size": 1,
        "grouped_from": 1,
        "most_queued": 10_000,
        "room_needed": 1,
        "newest": None,
        "groups": ["abc-notifications-1"],
    }
    statement = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claim_sql(NEW, 20, scope).text}")
    async with engine.connect() as connection:
        plan: dict[str, Any] = (await connection.scalar(statement, parameters))[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
