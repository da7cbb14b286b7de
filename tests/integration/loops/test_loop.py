"""A turn of a loop: expire, claim, hand off; and the release of claims."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.loops.conftest import INTERVAL, Starts, a_loop, states
from tests.support.rows import Db, a_notification, notifications, open_db, row, written
from tests.support.waiting import eventually
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import NovuThrottled, TemporalUnavailable
from xnovu_poller.lifecycle import Accepted, Origin, Refused, Status
from xnovu_poller.loops import loop as loop_module
from xnovu_poller.loops.loop import BUSY_PAUSE, CLAIMS_A_TURN, FEW_PAUSE, PollLoop, poll_loops
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

SECONDS = {"new": 10, "scheduled": 30, "failed": 60}
SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(0)


class Clock:
    """A clock that only a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def until_it_pauses(loop: PollLoop) -> timedelta:
    """Turn until no work is left at once; return the pause."""
    while (pause := await loop.turn()) <= FEW_PAUSE:
        pass
    return pause


async def finish(engine: Engine, starts: Starts, number: int) -> None:
    """Deliver a notification that was handed off."""
    claim = starts.groups[number][0]
    holding = await hold(engine, [claim.attempt], deadline=SECOND)
    await by_hold.record_sent(engine, [Verdict(Ending.SENT, holding.held[0])])


@pytest.mark.parametrize(
    ("name", "own", "others"),
    [
        (
            "new",
            {},
            [{"scheduled_for": "2020-01-01T00:00Z"}, {"status": Status.FAILED}],
        ),
        (
            "scheduled",
            {"scheduled_for": "2020-01-01T00:00Z"},
            [
                {"scheduled_for": "2999-01-01T00:00Z"},
                {},
                {"status": Status.FAILED, "scheduled_for": "2020-01-01T00:00Z"},
            ],
        ),
        (
            "failed",
            {"status": Status.FAILED},
            [{}, {"status": Status.FAILED, "next_attempt_at": "2999-01-01T00:00Z"}],
        ),
    ],
    ids=["new", "scheduled", "failed"],
)
async def test_each_loop_hands_off_its_own_rows(  # noqa: PLR0913 - the fixtures and the three parameters
    engine: Engine,
    db: Db,
    starts: Starts,
    terms: Terms,
    *,
    name: str,
    own: dict[str, Any],
    others: list[dict[str, Any]],
) -> None:
    """It hands off neither the rows of other loops nor a row before its time."""
    made = a_notification(db, **own)
    for columns in others:
        later = {key: columns[key] for key in columns if key == "next_attempt_at"}
        other = a_notification(db, **{key: columns[key] for key in columns if key not in later})
        if later:
            written(db, other, **later)
    intervals = {loop: timedelta(seconds=seconds) for loop, seconds in SECONDS.items()}
    loops = poll_loops(engine, Gate(), terms=terms, start=starts.start, intervals=intervals)
    (loop,) = [loop for loop in loops if loop.name == name]

    await loop.turn()

    assert starts.ids == [made]
    assert (len(loops), loop.interval) == (3, intervals[name])


async def test_a_turn_claims_and_hands_off_and_the_next_comes_at_once(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """There may be more rows; a turn that finds nothing pauses for the interval."""
    made = notifications(db, 3)
    loop = a_loop(engine, starts, terms)

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, INTERVAL]
    assert starts.ids == made
    assert states(db) == ["PROCESSING"] * 3


async def test_the_next_batch_is_claimed_during_the_handoff_of_a_full_batch(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Only one batch ahead of Temporal; and a turn ends after a limited number of claims."""
    made = notifications(db, 3 * CLAIMS_A_TURN)
    loop = a_loop(engine, starts, replace(terms, batch=2))
    starts.go_on.clear()
    turning = asyncio.create_task(loop.turn())
    await eventually(lambda: states(db).count("PROCESSING") == 4)
    assert starts.begun == 2

    starts.go_on.set()

    assert await turning == AT_ONCE
    assert starts.ids == made[: 2 * CLAIMS_A_TURN]
    assert await until_it_pauses(loop) == INTERVAL
    assert starts.ids == made


async def test_claims_ahead_are_released_if_the_handoff_fails(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """If Temporal does not take the first batch, the second should not wait until its lease lapses."""
    made = notifications(db, 4)
    starts.failing = dict.fromkeys(made[:2], TemporalUnavailable("DEADLINE_EXCEEDED"))

    with pytest.raises(TemporalUnavailable):
        await a_loop(engine, starts, replace(terms, batch=2)).turn()

    assert states(db) == ["PENDING"] * 4
    assert starts.ids == []


async def test_each_turn_expires_rows(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Even while the gate is closed, because these rows must not be sent."""
    made = a_notification(db, expires_at="2020-01-01T00:00Z")
    gate = Gate()
    gate.observe(Origin("acme", "another", "xn-1"), Refused(NovuThrottled(SECOND)))

    await a_loop(engine, starts, terms, gate).turn()

    assert row(db, made)["retraction_reason"] == "expired"


async def test_a_look_for_expired_rows_that_found_none_is_not_repeated_at_once(
    engine: Engine, db: Db, starts: Starts, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the processor from the notification that a wake-up is about; `hold` sends no expired row."""
    monkeypatch.setattr(loop_module, "EXPIRY_PAUSE", timedelta(hours=1))
    gate = Gate(clock=Clock())
    gate.observe(Origin("acme", "another", "xn-1"), Refused(NovuThrottled(SECOND)))
    loop = a_loop(engine, starts, terms, gate)
    await loop.turn()
    made = a_notification(db, expires_at="2020-01-01T00:00Z")

    await loop.turn()

    assert row(db, made)["notification_status"] == "PENDING"


async def test_a_closed_gate_stops_claims_for_its_pause(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Novu asked for the pause."""
    notifications(db, 1)
    gate = Gate(clock=Clock(), jitter=lambda: 0.0)
    gate.observe(Origin("acme", "another", "xn-1"), Refused(NovuThrottled(timedelta(seconds=7))))

    assert await a_loop(engine, starts, terms, gate).turn() == timedelta(seconds=7)

    assert states(db) == ["PENDING"]


async def test_after_a_pause_a_single_notification_goes_first(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """More follow once Novu has accepted it, because nobody knows yet whether Novu can serve."""
    notifications(db, 10)
    clock = Clock()
    gate = Gate(clock=clock, jitter=lambda: 0.0)
    gate.observe(Origin("acme", "another", "xn-1"), Refused(NovuThrottled(timedelta(seconds=7))))
    clock.now = 7.0
    loop = a_loop(engine, starts, terms, gate)

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    assert len(starts.groups) == 1
    gate.observe(Origin("acme", "another", "xn-1"), Accepted())

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    assert len(starts.groups) == 3


async def test_a_full_deployment_pauses_briefly(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """The limit is for all replicas; as soon as a notification has ended, another is claimed."""
    notifications(db, 3)
    loop = a_loop(engine, starts, replace(terms, max_in_flight=2))

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    await finish(engine, starts, 0)

    assert await loop.turn() == FEW_PAUSE
    assert states(db) == ["SENT", "PROCESSING", "PROCESSING"]


async def test_a_locked_row_of_a_rival_makes_no_long_pause(
    engine: Engine, db: Db, starts: Starts, terms: Terms, database: str
) -> None:
    """The backlog gets half of the deployment as long as another enterprise waits, and may go on as soon as a row has ended."""
    notifications(db, 30)
    locked = a_notification(db, enterprise="globex")
    loop = a_loop(engine, starts, replace(terms, max_in_flight=20))

    with open_db(database) as rival, rival.transaction():
        rival.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])
        assert await until_it_pauses(loop) == BUSY_PAUSE

    assert len(starts.ids) == 10
    assert locked not in starts.ids


async def test_the_pause_is_short_while_an_enterprise_is_at_its_limit(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Its next tokens come before the interval is over; once it has no rows, the pause is the interval."""
    notifications(db, 3)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, in_flight) VALUES ('acme', 2)")
    loop = a_loop(engine, starts, terms)

    assert await until_it_pauses(loop) == BUSY_PAUSE
    await finish(engine, starts, 0)
    assert await until_it_pauses(loop) == INTERVAL
    assert states(db) == ["SENT", "PROCESSING", "PROCESSING"]


async def test_a_stopped_loop_claims_nothing_more(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Even in a turn that began before the stop."""
    [made] = notifications(db, 1)
    loop = a_loop(engine, starts, terms)
    loop.stop()

    assert await loop.turn() == INTERVAL
    assert row(db, made)["attempt"] == 0


async def test_only_the_named_enterprises_are_served(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """The others wait for their own workers."""
    ours = a_notification(db, enterprise="acme")
    theirs = a_notification(db, enterprise="globex")
    loop = a_loop(engine, starts, replace(terms, enterprises=("acme",)))

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, INTERVAL]

    assert starts.ids == [ours]
    assert row(db, theirs)["notification_status"] == Status.PENDING
