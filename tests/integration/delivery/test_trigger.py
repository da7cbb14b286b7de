"""Novu's answers and the states of the rows after them; large notifications in chunks."""

import asyncio
from typing import Any

import pytest

from tests.support.delivering import PERSON, SHORT, Delivering, a_claimed, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, attempt_of, row, soon, written
from tests.support.waiting import eventually
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine

PEOPLE = [f"s{i:03}" for i in range(250)]
SLOW_ANSWER = """
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep({seconds});
    RETURN NEW;
END $$;
CREATE TRIGGER slow BEFORE UPDATE ON notify.ent_notification_delivery
    FOR EACH ROW EXECUTE FUNCTION public.slow();"""


def reclaim(db: Db, attempt: Attempt) -> Attempt:
    """Claim a released row, as a loop does."""
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = attempt + 1,"
        " lease_expires_at = now() + interval '5 min', temporal_workflow_id = 'again' WHERE id = %s",
        [attempt.notification_id],
    )
    return attempt_of(db, attempt.notification_id)


def chunks(db: Db, attempt: Attempt) -> list[dict[str, Any]]:
    """Return the delivery rows of a notification."""
    return db.execute(
        "SELECT * FROM notify.ent_notification_delivery WHERE notification_id = %s ORDER BY chunk",
        [attempt.notification_id],
    ).fetchall()


async def test_repeated_recipients_are_sent_once_in_order(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The producer's order stays, without the repeats."""
    await executor.deliver(a_claimed(db, recipients=["b", "a", "b", "c", "a"]))

    [trigger] = novu_standin.ledger()["triggers"]
    assert trigger["event"]["to"] == ["b", "a", "c"]


async def test_a_hundred_different_recipients_are_a_single_call(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Repeats do not count towards the limit."""
    attempt = a_claimed(db, recipients=PEOPLE[:100] * 2)

    assert await executor.deliver(attempt) == [Status.SENT]

    assert chunks(db, attempt) == []
    assert novu_standin.stats()["calls"] == 1


async def test_a_topic_is_addressed_as_a_topic(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A recipient `topic:KEY` may stand beside a subscriber."""
    await executor.deliver(a_claimed(db, recipients=["topic:managers", PERSON]))

    [trigger] = novu_standin.ledger()["triggers"]
    assert trigger["event"]["to"] == [{"type": "Topic", "topicKey": "managers"}, PERSON]


async def test_a_large_notification_goes_in_chunks(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Each of three calls has its own transaction id and its own row."""
    attempt = a_claimed(db, recipients=PEOPLE)

    assert await executor.deliver(attempt) == [Status.SENT]

    transaction = row(db, attempt.notification_id)["transaction_id"]
    found = chunks(db, attempt)
    assert [len(chunk["recipients"]) for chunk in found] == [100, 100, 50]
    assert [chunk["outcome"] for chunk in found] == ["accepted"] * 3
    assert novu_standin.deliveries() == {
        (f"{transaction}-{i // 100 + 1}", person): 1 for i, person in enumerate(PEOPLE)
    }


async def test_after_an_error_only_the_other_chunks_are_sent(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The first chunk's answer was recorded at once."""
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("accept_then_reset", match={"recipient": "s150"})

    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    assert [chunk["outcome"] for chunk in chunks(db, attempt)] == ["accepted", "unknown", None]
    assert await executor.deliver(attempt) == [Status.SENT]

    stats = novu_standin.stats()
    assert (stats["calls"], stats["deliveries"], stats["duplicates"]) == (4, 250, 0)
    assert row(db, attempt.notification_id)["unknown_outcomes"] == 1


async def test_chunks_that_run_out_of_time_are_left_to_the_next_try(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """No hold is live, and nothing is counted; on the last try the row is released."""
    attempt = a_claimed(db, recipients=PEOPLE)

    with pytest.raises(Unfinished):
        await executor.deliver(attempt, budget=-1)
    held = row(db, attempt.notification_id)
    assert (held["notification_status"], held["send_until"]) == ("PROCESSING", None)

    assert await executor.deliver(attempt, budget=-1, last=True) == [Status.PENDING]
    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"], kept["lapses"]) == ("PENDING", 0, 0)
    assert novu_standin.stats()["calls"] == 0


async def test_a_rejected_chunk_does_not_block_the_others(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The row is DEAD and names the chunk; everybody else has their notification."""
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("status", status=422, match={"recipient": "s150"})

    assert await executor.deliver(attempt) == [Status.DEAD]

    assert row(db, attempt.notification_id)["error_details"]["message"].endswith("the chunks 2")
    assert [chunk["outcome"] for chunk in chunks(db, attempt)] == ["accepted", "refused", "accepted"]
    assert novu_standin.stats()["deliveries"] == 150


async def test_a_chunk_that_novu_cannot_serve_remains_unsent(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The refusal counts only for the chunk, so the others keep their idempotency keys."""
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("status", status=503, match={"recipient": "s150"})

    assert await executor.deliver(attempt) == [Status.PENDING]

    found = chunks(db, attempt)
    assert [chunk["outcome"] for chunk in found] == ["accepted", None, None]
    assert [chunk["refusals"] for chunk in found] == [0, 1, 0]
    assert row(db, attempt.notification_id)["refusals"] == 0


async def test_no_chunk_outlasts_its_hold_with_a_slow_database(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """The next chunk's hold counts from before the request for it."""
    attempt = a_claimed(db, recipients=PEOPLE)
    db.execute(SLOW_ANSWER.format(seconds=SHORT.total_seconds() + 0.2))
    async with delivering(engine, novu_standin, call=SHORT) as executor:
        assert await executor.deliver(attempt) == [Status.PENDING]

    assert novu_standin.stats()["calls"] == 1
    assert [chunk["outcome"] for chunk in chunks(db, attempt)] == ["accepted", None, None]


async def test_a_late_holder_sends_no_further_chunk(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Somebody else holds the row by now."""
    attempt = a_claimed(db, recipients=PEOPLE)
    novu_standin.fault("slow", seconds=30)
    sending = asyncio.create_task(executor.deliver(attempt))
    await eventually(lambda: novu_standin.stats()["calls"] == 1)
    written(db, attempt.notification_id, send_until=soon())
    novu_standin.clear_faults()

    assert await sending == []

    assert novu_standin.stats()["calls"] == 1
    assert [chunk["outcome"] for chunk in chunks(db, attempt)] == [None, None, None]


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_a_notification_that_novu_cannot_serve_is_released(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, start: Status
) -> None:
    """It returns to its former state without a failure, its next call has another key, and the gate is closed."""
    attempt = reclaim(db, Attempt(a_notification(db, workflow=_plain(db), status=start), 0))
    before = row(db, attempt.notification_id)
    novu_standin.fault("status", status=503, retry_after=7)

    assert await executor.deliver(attempt) == [start]

    kept = row(db, attempt.notification_id)
    assert kept["notification_status"] == start
    assert kept["failure_count"] == before["failure_count"]
    assert (kept["refusals"], kept["unknown_outcomes"]) == (1, 0)
    assert executor.gate.closed
    assert 5 < executor.gate.pause.total_seconds() <= 9


async def test_a_throttled_notification_waits_as_long_as_novu_asks(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu answers 429 with `Retry-After`."""
    attempt = a_claimed(db)
    novu_standin.fault("throttle", retry_after=40)

    assert await executor.deliver(attempt) == [Status.PENDING]

    assert row(db, attempt.notification_id)["notification_status"] == "PENDING"
    assert 30 < executor.gate.pause.total_seconds() <= 50


async def test_an_unknown_key_stops_the_gate_and_fails_no_row(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """After a 401 a person has to act."""
    attempt = a_claimed(db)
    novu_standin.switch(secret_key="another")

    assert await executor.deliver(attempt) == [Status.PENDING]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == ("PENDING", 0)
    assert executor.gate.stopped


@pytest.mark.parametrize("fault", ["accept_then_hang", "accept_then_reset", "malformed"])
@pytest.mark.parametrize("idempotency", [True, False])
async def test_after_an_unknown_outcome_the_same_call_is_made_again(
    engine: Engine, db: Db, novu_standin: NovuStandIn, fault: str, *, idempotency: bool
) -> None:
    """Transaction id and idempotency key are the same, so there is a single delivery."""
    attempt = a_claimed(db)
    novu_standin.switch(idempotency=idempotency)
    novu_standin.fault(fault)

    async with delivering(engine, novu_standin, call=SHORT) as executor:
        with pytest.raises(Unfinished):
            await executor.deliver(attempt)
    assert novu_standin.stats()["accepted"] == 1
    held = row(db, attempt.notification_id)
    assert (held["notification_status"], held["unknown_outcomes"]) == ("PROCESSING", 1)
    assert (held["send_until"], held["lapses"], held["refusals"]) == (None, 0, 0)
    async with delivering(engine, novu_standin) as executor:
        assert await executor.deliver(attempt) == [Status.SENT]

    stats = novu_standin.stats()
    assert (stats["calls"], stats["deliveries"], stats["duplicates"]) == (2, 1, 0)
    assert (stats["replays"], stats["dropped"]) == ((1, 0) if idempotency else (0, 1))


async def test_the_next_attempt_avoids_novus_stored_error(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu repeats its 500 under the same key for a day; a failed attempt changes the key."""
    attempt = a_claimed(db)
    novu_standin.switch(idempotency=True)
    novu_standin.fault("status", status=500)

    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    assert await executor.deliver(attempt, last=True) == [Status.FAILED]
    assert novu_standin.stats()["replays"] == 1
    assert await executor.deliver(reclaim(db, attempt)) == [Status.SENT]

    assert novu_standin.stats()["deliveries"] == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 422}, "422"),
        ({"kind": "verdict", "verdict": "trigger_not_active"}, "trigger_not_active"),
        ({"kind": "verdict", "verdict": "no_workflow_steps_defined"}, "no_workflow_steps_defined"),
    ],
    ids=["422", "not active", "no steps"],
)
async def test_a_notification_that_novu_rejects_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, fault: dict[str, Any], reason: str
) -> None:
    """No attempt can succeed; the row has Novu's code."""
    attempt = a_claimed(db)
    novu_standin.fault(**fault)

    assert await executor.deliver(attempt) == [Status.DEAD]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["refusals"]) == ("DEAD", 1)
    assert kept["error_details"]["code"] == "novu_rejected"
    assert reason in kept["error_details"]["message"]


async def test_a_workflow_that_novu_does_not_know_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The row has Novu's own code."""
    novu_standin.switch(workflows_known=False)
    attempt = a_claimed(db)

    assert await executor.deliver(attempt) == [Status.DEAD]

    assert "workflow_not_found" in row(db, attempt.notification_id)["error_details"]["message"]


def _plain(db: Db) -> int:
    found = db.execute("SELECT id FROM notify.ent_notification_workflow LIMIT 1").fetchone()
    if found is None:
        a_claimed(db)
        return _plain(db)
    return int(found["id"])
