"""One turn: expire, claim, hand off; and what is given back."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.loops.conftest import Starts
from tests.support.rows import Db, a_notification, attempt_of, notifications, row, written
from tests.support.waiting import eventually
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import NovuThrottled, TemporalRefused, TemporalUnavailable
from xnovu_poller.lifecycle import Accepted, Refused, Sender, Status
from xnovu_poller.loops.drain import Drain
from xnovu_poller.loops.loop import BUSY_PAUSE, CLAIMS_A_TURN, FEW_PAUSE, PollLoop, poll_loops
from xnovu_poller.loops.starter import STARTS_AT_ONCE
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.due import NEW
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

INTERVAL = timedelta(seconds=10)
SECONDS = {"new": 10, "scheduled": 30, "failed": 60}
SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(0)


class Clock:
    """A clock that stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def a_loop(engine: Engine, starts: Starts, terms: Terms, gate: Gate | None = None) -> PollLoop:
    """Make a loop of new rows."""
    return PollLoop(NEW, engine, gate or Gate(), terms=terms, start=starts.start, interval=INTERVAL)


async def until_it_rests(loop: PollLoop) -> timedelta:
    """Turn until there is no more to do at once; give the rest."""
    while (rest := await loop.turn()) <= FEW_PAUSE:
        pass
    return rest


def states(db: Db) -> list[str]:
    """Give the states of all rows, in their order."""
    return [
        found["notification_status"]
        for found in db.execute("SELECT notification_status FROM notify.ent_notification ORDER BY id")
    ]


async def finish(engine: Engine, starts: Starts, number: int) -> None:
    """Deliver one of the notifications that were handed off."""
    claim = starts.groups[number][0]
    holding = await hold(engine, [claim.attempt], deadline=SECOND, lease=SECOND)
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
    """And none of the others' rows, nor a row whose time has not come."""
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
    """There may be more; a turn that finds nothing rests for the interval."""
    made = notifications(db, 3)
    loop = a_loop(engine, starts, terms)

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, INTERVAL]
    assert starts.ids == made
    assert states(db) == ["PROCESSING"] * 3


async def test_while_a_full_batch_is_handed_off_the_next_is_claimed(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """And no more than that before the first is with Temporal; a turn has its end."""
    made = notifications(db, 3 * CLAIMS_A_TURN)
    loop = a_loop(engine, starts, replace(terms, batch=2))
    starts.go_on.clear()
    turning = asyncio.create_task(loop.turn())
    await eventually(lambda: states(db).count("PROCESSING") == 4)
    assert starts.begun == 2

    starts.go_on.set()

    assert await turning == AT_ONCE
    assert starts.ids == made[: 2 * CLAIMS_A_TURN]
    assert await until_it_rests(loop) == INTERVAL
    assert starts.ids == made


async def test_what_was_claimed_ahead_is_given_back_if_the_handoff_fails(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Temporal does not take the first batch: the second is not to wait for its lease."""
    made = notifications(db, 4)
    starts.failing = dict.fromkeys(made[:2], TemporalUnavailable("DEADLINE_EXCEEDED"))

    with pytest.raises(TemporalUnavailable):
        await a_loop(engine, starts, replace(terms, batch=2)).turn()

    assert states(db) == ["PENDING"] * 4
    assert starts.ids == []


async def test_claims_of_one_group_share_a_start(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """A slice of the claim is one workflow."""
    made = notifications(db, 5)

    await a_loop(engine, starts, replace(terms, group_size=2)).turn()

    assert starts.ids == made
    assert sorted(len(group) for group in starts.groups) == [1, 2, 2]
    assert all(len({claim.run_id for claim in group}) == 1 for group in starts.groups)


async def test_each_turn_expires_what_is_over(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Also while the gate is closed: nobody may send it any more."""
    made = a_notification(db, expires_at="2020-01-01T00:00Z")
    gate = Gate()
    gate.observe(Sender("acme", "another", "xn-1"), Refused(NovuThrottled(SECOND)))

    await a_loop(engine, starts, terms, gate).turn()

    assert row(db, made)["retraction_reason"] == "expired"


@pytest.mark.parametrize(
    "error", [TemporalUnavailable("DEADLINE_EXCEEDED"), TemporalRefused("no")], ids=lambda error: error.code
)
async def test_a_start_that_fails_releases_its_claims_and_no_others(
    engine: Engine, db: Db, starts: Starts, terms: Terms, error: TemporalRefused | TemporalUnavailable
) -> None:
    """The rest of the batch is handed off; the turn says what went wrong."""
    first, second, third = notifications(db, 3)
    starts.failing[second] = error

    with pytest.raises(type(error)):
        await a_loop(engine, starts, terms).turn()

    assert states(db) == ["PROCESSING", "PENDING", "PROCESSING"]
    assert starts.ids == [first, third]
    given_back = row(db, second)
    assert (given_back["attempt"], given_back["failure_count"], given_back["lease_expires_at"]) == (
        1,
        0,
        None,
    )


async def test_a_start_that_arrives_after_its_release_finds_itself_late(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Temporal did not answer, and started the workflow all the same: it holds nothing, before or after
    the next claim.
    """
    [made] = notifications(db, 1)
    starts.failing[made] = TemporalUnavailable("DEADLINE_EXCEEDED")
    loop = a_loop(engine, starts, terms)
    with pytest.raises(TemporalUnavailable):
        await loop.turn()

    first = attempt_of(db, made)
    arrived = await hold(engine, [first], deadline=SECOND, lease=SECOND)
    starts.failing.clear()
    await loop.turn()
    again = await hold(engine, [first], deadline=SECOND, lease=SECOND)

    assert not arrived.held + again.held
    assert not arrived.live + again.live
    assert [group[0].attempt.number for group in starts.groups] == [2]


async def test_while_the_gate_is_closed_nothing_is_claimed_and_the_rest_is_the_pause(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Novu asked for it."""
    notifications(db, 1)
    gate = Gate(clock=Clock(), jitter=lambda: 0.0)
    gate.observe(Sender("acme", "another", "xn-1"), Refused(NovuThrottled(timedelta(seconds=7))))

    assert await a_loop(engine, starts, terms, gate).turn() == timedelta(seconds=7)

    assert states(db) == ["PENDING"]


async def test_after_a_pause_one_notification_goes_ahead_and_more_when_it_is_served(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Nobody knows yet whether Novu can serve again."""
    notifications(db, 10)
    clock = Clock()
    gate = Gate(clock=clock, jitter=lambda: 0.0)
    gate.observe(Sender("acme", "another", "xn-1"), Refused(NovuThrottled(timedelta(seconds=7))))
    clock.now = 7.0
    loop = a_loop(engine, starts, terms, gate)

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    assert len(starts.groups) == 1
    gate.observe(Sender("acme", "another", "xn-1"), Accepted())

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    assert len(starts.groups) == 3


async def test_a_full_deployment_rests_briefly_and_goes_on(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """The bound is for all replicas; as soon as one notification is through, another is claimed."""
    notifications(db, 3)
    loop = a_loop(engine, starts, replace(terms, max_in_flight=2))

    assert [await loop.turn(), await loop.turn()] == [FEW_PAUSE, BUSY_PAUSE]
    await finish(engine, starts, 0)

    assert await loop.turn() == FEW_PAUSE
    assert states(db) == ["SENT", "PROCESSING", "PROCESSING"]


async def test_an_enterprise_at_its_limit_is_looked_at_again_soon(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Its next tokens are due before the interval is over; once it has no rows, the loop rests."""
    notifications(db, 3)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, in_flight) VALUES ('acme', 2)")
    loop = a_loop(engine, starts, terms)

    assert await until_it_rests(loop) == BUSY_PAUSE
    await finish(engine, starts, 0)
    assert await until_it_rests(loop) == INTERVAL
    assert states(db) == ["SENT", "PROCESSING", "PROCESSING"]


async def test_a_stopped_loop_claims_nothing_more(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Also in a turn that had begun before the stop."""
    [made] = notifications(db, 1)
    loop = a_loop(engine, starts, terms)
    loop.stop()

    assert await loop.turn() == INTERVAL
    assert row(db, made)["attempt"] == 0


async def test_a_stop_starts_nothing_more_and_releases_what_was_not_handed_off(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """What had begun to start ends; the turn under way is the last."""
    notifications(db, STARTS_AT_ONCE + 10)
    starts.go_on.clear()
    loop = a_loop(engine, starts, terms)
    drain = Drain(loop)
    draining = asyncio.create_task(drain.drain())
    await eventually(lambda: starts.begun == STARTS_AT_ONCE)

    loop.stop()
    stopping = asyncio.create_task(drain.stop())
    starts.go_on.set()
    await asyncio.gather(stopping, draining)

    assert len(starts.groups) == STARTS_AT_ONCE
    assert states(db).count("PENDING") == 10


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
