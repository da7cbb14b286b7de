"""The limits of an enterprise hold with any number of claimers."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from psycopg.errors import CheckViolation

from tests.support.claiming import WIDE
from tests.support.rows import Db, a_notification, notifications, open_db, sqlalchemy_url
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications.backlog import look_at_queue, oldest_due
from xnovu_poller.store.notifications.claim import Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=50, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
PAST = "2020-01-01T00:00Z"
RIVALS = 2000


def a_limit(
    db: Db,
    enterprise: str = "acme",
    *,
    rate: float | None = None,
    in_flight: int | None = None,
    firings: int | None = None,
) -> None:
    """Set the limits of an enterprise."""
    db.execute(
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate, in_flight, firings) VALUES (%s, %s, %s, %s)",
        [enterprise, rate, in_flight, firings],
    )


async def claim_once(engine: Engine, due: Due = NEW) -> Counter[str]:
    """Claim once, and count by enterprise."""
    claims, _ = await claim(engine, due, TERMS, WIDE)
    return Counter(claimed.enterprise_id for claimed in claims)


async def test_a_rate_permits_only_the_saved_tokens(engine: Engine, db: Db) -> None:
    """A row and a quarter of a second's worth at first, then as time passes."""
    notifications(db, 100)
    a_limit(db, rate=20)
    began = _now(db)

    assert await claim_once(engine) == {"acme": 6}
    assert (await claim_once(engine))["acme"] <= 20 * (_now(db) - began).total_seconds()

    db.execute("UPDATE notify.ent_enterprise_limit SET counted_at = counted_at - interval '0.2 s'")
    assert (await claim_once(engine))["acme"] in range(4, 7)


async def test_at_most_a_quarter_of_a_second_is_saved(engine: Engine, db: Db) -> None:
    """An enterprise that was idle for an hour does not have an hour's worth."""
    notifications(db, 100)
    a_limit(db, rate=20)
    await claim_once(engine)
    db.execute("UPDATE notify.ent_enterprise_limit SET counted_at = counted_at - interval '1 h'")

    assert await claim_once(engine) == {"acme": 6}


async def test_all_loops_share_a_limit(engine: Engine, db: Db) -> None:
    """New, scheduled and failed rows are all claims."""
    # A row now, and the next in 25 seconds.
    a_limit(db, rate=0.04)
    a_notification(db)
    a_notification(db, scheduled_for=PAST)
    a_notification(db, status=Status.FAILED)

    one = {"acme": 1}
    for expected in ([one, {}, {}], [{}, one, {}], [{}, {}, one]):
        assert [await claim_once(engine, due) for due in (NEW, SCHEDULED, FAILED)] == expected
        db.execute("UPDATE notify.ent_enterprise_limit SET counted_at = counted_at - interval '1 h'")


async def test_a_clock_set_back_stops_nobody(engine: Engine, db: Db) -> None:
    """The bucket's last time is in the future now: it starts full."""
    notifications(db, 10)
    a_limit(db, rate=8)
    db.execute(
        "UPDATE notify.ent_enterprise_limit SET tokens = 0, counted_at = clock_timestamp() + interval '1 h'"
    )

    assert await claim_once(engine) == {"acme": 3}


@pytest.mark.parametrize("rate", ["0", "5e-324", "1.7e308", "Infinity", "NaN", "-1"])
def test_a_rate_unfit_for_arithmetic_is_refused(db: Db, rate: str) -> None:
    """It would fail every claim."""
    with pytest.raises(CheckViolation):
        db.execute(
            "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', %s)", [rate]
        )


async def test_the_limit_in_flight_is_exact(engine: Engine, db: Db) -> None:
    """Others get the places that it may not use."""
    notifications(db, 100)
    notifications(db, 100, enterprise="globex")
    a_limit(db, in_flight=3)

    assert [(await claim_once(engine))["acme"] for _ in range(2)] == [3, 0]


async def test_an_enterprise_at_its_limit_leaves_its_places_to_others(engine: Engine, db: Db) -> None:
    """The other enterprise gets the whole claim, not only its half."""
    notifications(db, 100)
    notifications(db, 100, enterprise="globex")
    a_limit(db, in_flight=3)
    await claim_once(engine)

    assert await claim_once(engine) == {"globex": 50}


async def test_an_enterprise_with_a_claim_under_way_is_skipped(engine: Engine, db: Db, database: str) -> None:
    """The rival's claim is not visible yet, so nothing is claimed beside it; nobody waits."""
    notifications(db, 10)
    notifications(db, 10, enterprise="globex")
    a_limit(db, in_flight=5)

    with open_db(database) as rival, rival.transaction():
        rival.execute("SELECT FROM notify.ent_enterprise_limit FOR UPDATE")
        assert await claim_once(engine) == {"globex": 10}
    assert await claim_once(engine) == {"acme": 5}


async def test_a_limit_of_firings_does_not_concern_claims(engine: Engine, db: Db, database: str) -> None:
    """Nobody locks or writes it, nothing is held back, and rows that wait do not wait for a reason."""
    a_limit(db, firings=5)
    notifications(db, 10)
    assert (await oldest_due(engine, unserved=True))["new"] is not None
    held_back = await look_at_queue(
        engine, NEW, WIDE.queue, max_in_flight=TERMS.max_in_flight, enterprises=None
    )
    assert held_back is None

    with open_db(database) as rival, rival.transaction():
        rival.execute("SELECT FROM notify.ent_enterprise_limit FOR UPDATE")
        assert await claim_once(engine) == {"acme": 10}
    [limit] = db.execute("SELECT counted_at FROM notify.ent_enterprise_limit")
    assert limit["counted_at"] is None


async def test_a_claim_that_began_before_anothers_end_takes_nothing(
    engine: Engine, db: Db, database: str
) -> None:
    """It saw the rows as they were before, so it would count too few in flight."""
    notifications(db, 10)
    a_limit(db, in_flight=5)
    # The slow claim stops between its first read and the limit, where it waits for an advisory lock.
    db.execute("""
        CREATE FUNCTION stand_still() RETURNS boolean VOLATILE LANGUAGE plpgsql SET lock_timeout = 0 AS $$
        BEGIN
            IF current_setting('application_name') = 'xnovu:slow' THEN
                PERFORM pg_advisory_xact_lock_shared(1);
            END IF;
            RETURN true;
        END $$;
        CREATE POLICY still ON notify.ent_enterprise_limit AS RESTRICTIVE FOR UPDATE TO xnovu_worker
            USING (stand_still());
    """)
    slow = connect(sqlalchemy_url(database), part="slow")
    with open_db(database) as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        late = asyncio.create_task(claim_once(slow))
        await eventually(lambda: _waiting(db) == 1)
        assert await claim_once(engine) == {"acme": 5}
        gate.execute("SELECT pg_advisory_unlock(1)")
        assert await late == {}
    await slow.dispose()


def _waiting(db: Db) -> int:
    found = db.execute("SELECT count(*) AS count FROM pg_stat_activity WHERE wait_event = 'advisory'")
    return int(found.fetchone()["count"])  # type: ignore[index] # a count is one row


async def test_eight_claimers_keep_the_limit_in_flight(engine: Engine, db: Db) -> None:
    """In any interleaving."""
    notifications(db, 200)
    a_limit(db, in_flight=30)

    for _ in range(5):
        await asyncio.gather(*(claim(engine, NEW, replace(TERMS, batch=7), WIDE) for _ in range(8)))

    [held] = db.execute(
        "SELECT count(*) FROM notify.ent_notification WHERE notification_status = 'PROCESSING'"
    )
    assert held["count"] == 30


NOTE_USES = """
CREATE TABLE public.uses (number serial, counted_at timestamptz, tokens float8);
CREATE FUNCTION public.note_use() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.uses (counted_at, tokens) VALUES (NEW.counted_at, NEW.tokens);
    RETURN NULL;
END $$;
CREATE TRIGGER note_use AFTER UPDATE ON notify.ent_enterprise_limit
    FOR EACH ROW EXECUTE FUNCTION public.note_use();"""
"""Each claim under a limit notes its own time, and the tokens that it left."""


@pytest.mark.parametrize("rate", [8, 150])
async def test_two_replicas_keep_a_rate(engine: Engine, db: Db, database: str, rate: int) -> None:
    """They claim as many rows as the time between their claims permits; another enterprise is drained meanwhile.

    A slow machine may leave the limit unused for longer than tokens are saved; the rest of that time permits nothing.
    """
    # More than a slow machine claims until the other's rows are claimed.
    notifications(db, 60 * rate)
    notifications(db, RIVALS, enterprise="globex")
    a_limit(db, rate=rate)
    db.execute(NOTE_USES)
    other = connect(sqlalchemy_url(database), part="test")
    counted = await _drain_for(db, [engine, other], timedelta(seconds=6))
    await other.dispose()

    uses = db.execute("SELECT counted_at, tokens FROM public.uses ORDER BY number").fetchall()
    most = 1 + rate / 4
    had = [most] + [
        min(most, before["tokens"] + rate * (use["counted_at"] - before["counted_at"]).total_seconds())
        for before, use in pairwise(uses)
    ]
    taken = [tokens - use["tokens"] for tokens, use in zip(had, uses, strict=True)]
    assert taken == pytest.approx([round(number) for number in taken], abs=0.01)
    assert counted["acme"] == sum(map(round, taken))
    # No claim leaves a token to be lost, unless it has an even share of the batch or the last rows.
    assert all(
        use["tokens"] < 1 or number > TERMS.batch / 2 - 0.5
        for use, number in zip(uses[:-1], taken[:-1], strict=True)
    )


async def _drain_for(db: Db, engines: list[Engine], span: timedelta) -> Counter[str]:
    """Claim on all engines at once until this time has passed, and until globex has no row left."""
    counted = Counter[str]()
    began = _now(db)

    async def drain(engine: Engine) -> None:
        cursor = WIDE
        while _now(db) - began < span or counted["globex"] < RIVALS:
            claims, cursor = await claim(engine, NEW, TERMS, cursor)
            counted.update(claimed.enterprise_id for claimed in claims)
            if not claims:
                assert await look_at_queue(
                    engine, NEW, WIDE.queue, max_in_flight=TERMS.max_in_flight, enterprises=None
                )

    await asyncio.gather(*(drain(engine) for engine in engines))
    return counted


def _now(db: Db) -> datetime:
    [found] = db.execute("SELECT clock_timestamp() AS now")
    now: datetime = found["now"]
    return now
