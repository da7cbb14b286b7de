"""What an enterprise may have at most, whoever claims."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db, a_notification, notifications, open_db, sqlalchemy_url
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications.backlog import is_held_back
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

TERMS = Terms(prefix="abc", batch=50, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
PAST = "2020-01-01T00:00Z"


def a_limit(
    db: Db, enterprise: str = "acme", *, rate: float | None = None, in_flight: int | None = None
) -> None:
    """Set what an enterprise may have at most."""
    db.execute(
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate, in_flight) VALUES (%s, %s, %s)",
        [enterprise, rate, in_flight],
    )


async def taken(engine: Engine, due: Due = NEW) -> Counter[str]:
    """Claim once, and count by enterprise."""
    claims, _ = await claim(engine, due, TERMS, Cursor())
    return Counter(one.enterprise_id for one in claims)


async def test_a_rate_lets_out_what_was_saved_up_and_no_more(engine: Engine, db: Db) -> None:
    """One and a quarter of a second's worth; then as time goes by."""
    notifications(db, 100)
    a_limit(db, rate=20)

    assert [await taken(engine), await taken(engine)] == [{"acme": 6}, {}]

    db.execute("UPDATE notify.ent_enterprise_limit SET counted_at = counted_at - interval '0.2 s'")
    assert (await taken(engine))["acme"] in range(4, 7)


async def test_nothing_is_saved_up_beyond_a_quarter_of_a_second(engine: Engine, db: Db) -> None:
    """An enterprise that was idle for an hour has no hour's worth."""
    notifications(db, 100)
    a_limit(db, rate=20)
    await taken(engine)
    db.execute("UPDATE notify.ent_enterprise_limit SET counted_at = counted_at - interval '1 h'")

    assert await taken(engine) == {"acme": 6}


async def test_all_loops_share_a_limit(engine: Engine, db: Db) -> None:
    """New, scheduled and failed rows are claims alike."""
    a_limit(db, rate=4)
    a_notification(db)
    a_notification(db, scheduled_for=PAST)
    a_notification(db, status=Status.FAILED)

    assert [await taken(engine, due) for due in (NEW, SCHEDULED, FAILED)] == [{"acme": 1}, {"acme": 1}, {}]


async def test_a_clock_that_was_set_back_stops_nobody(engine: Engine, db: Db) -> None:
    """The bucket was last looked at in what is the future now: it begins full."""
    notifications(db, 10)
    a_limit(db, rate=8)
    db.execute(
        "UPDATE notify.ent_enterprise_limit SET tokens = 0, counted_at = clock_timestamp() + interval '1 h'"
    )

    assert await taken(engine) == {"acme": 3}


@pytest.mark.parametrize("rate", ["0", "5e-324", "1.7e308", "Infinity", "NaN", "-1"])
def test_a_rate_that_cannot_be_reckoned_with_is_refused(db: Db, rate: str) -> None:
    """It would fail the claims of all."""
    with pytest.raises(CheckViolation):
        db.execute(
            "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', %s)", [rate]
        )


async def test_in_flight_is_kept_exactly(engine: Engine, db: Db) -> None:
    """Others have the places that it may not have."""
    notifications(db, 100)
    notifications(db, 100, enterprise="globex")
    a_limit(db, in_flight=3)

    assert [(await taken(engine))["acme"] for _ in range(2)] == [3, 0]


async def test_an_enterprise_at_its_limit_leaves_its_places(engine: Engine, db: Db) -> None:
    """The other one gets all of a claim, not its half."""
    notifications(db, 100)
    notifications(db, 100, enterprise="globex")
    a_limit(db, in_flight=3)
    await taken(engine)

    assert await taken(engine) == {"globex": 50}


async def test_whoever_is_claimed_from_is_left_out(engine: Engine, db: Db, database: str) -> None:
    """A rival's claim of this moment is not seen, so nothing is claimed beside it; nobody waits."""
    notifications(db, 10)
    notifications(db, 10, enterprise="globex")
    a_limit(db, in_flight=5)

    with open_db(database) as rival, rival.transaction():
        rival.execute("SELECT FROM notify.ent_enterprise_limit FOR UPDATE")
        assert await taken(engine) == {"globex": 10}
    assert await taken(engine) == {"acme": 5}


async def test_a_claim_that_began_before_anothers_end_takes_nothing(
    engine: Engine, db: Db, database: str
) -> None:
    """It saw the rows as they were before, so it would count too few in flight."""
    notifications(db, 10)
    a_limit(db, in_flight=5)
    # The slow one stands still between its first look and the limit: there it waits for an advisory lock.
    db.execute("""
        CREATE FUNCTION stand_still() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$
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
        late = asyncio.create_task(taken(slow))
        await eventually(lambda: _waiting(db) == 1)
        assert await taken(engine) == {"acme": 5}
        gate.execute("SELECT pg_advisory_unlock(1)")
        assert await late == {}
    await slow.dispose()


def _waiting(db: Db) -> int:
    found = db.execute("SELECT count(*) AS count FROM pg_stat_activity WHERE wait_event = 'advisory'")
    return int(found.fetchone()["count"])  # type: ignore[index] # a count is one row


async def test_eight_claimers_keep_in_flight(engine: Engine, db: Db) -> None:
    """However they meet."""
    notifications(db, 200)
    a_limit(db, in_flight=30)

    for _ in range(5):
        await asyncio.gather(*(claim(engine, NEW, replace(TERMS, batch=7), Cursor()) for _ in range(8)))

    [held] = db.execute(
        "SELECT count(*) FROM notify.ent_notification WHERE notification_status = 'PROCESSING'"
    )
    assert held["count"] == 30


@dataclass
class Drained:
    """What two replicas claimed, and how long it took by the database's clock."""

    counted: Counter[str]
    elapsed: timedelta


@pytest.mark.parametrize("rate", [8, 150])
async def test_two_replicas_keep_a_rate_to_a_tenth(engine: Engine, db: Db, database: str, rate: int) -> None:
    """And another enterprise is drained meanwhile, whole."""
    notifications(db, 8 * rate)
    notifications(db, 2000, enterprise="globex")
    a_limit(db, rate=rate)
    other = connect(sqlalchemy_url(database), part="test")
    drained = await _drain_for(db, [engine, other], timedelta(seconds=6))
    await other.dispose()

    assert drained.counted["globex"] == 2000
    expected = rate * drained.elapsed.total_seconds()
    assert abs(drained.counted["acme"] - expected) <= 0.1 * expected


async def _drain_for(db: Db, engines: list[Engine], span: timedelta) -> Drained:
    """Claim on all engines at once until the database's clock says that a time is over."""
    counted = Counter[str]()
    began = _now(db)

    async def drain(engine: Engine) -> None:
        cursor = Cursor()
        while _now(db) - began < span:
            claims, cursor = await claim(engine, NEW, TERMS, cursor)
            counted.update(one.enterprise_id for one in claims)
            if not claims:
                assert await is_held_back(engine, NEW, TERMS.max_in_flight, None)

    await asyncio.gather(*(drain(engine) for engine in engines))
    return Drained(counted, _now(db) - began)


def _now(db: Db) -> datetime:
    [found] = db.execute("SELECT clock_timestamp() AS now")
    now: datetime = found["now"]
    return now
