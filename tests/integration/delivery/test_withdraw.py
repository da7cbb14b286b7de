"""A notification that was withdrawn or expired before its send is not sent, and its row shows it."""

from typing import Any

import pytest

from tests.support.delivering import PERSON, SHORT, Delivering, a_claimed, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, row, written
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine

LONG_AGO = "2020-01-01T00:00Z"


def retract(db: Db, attempt: Attempt) -> None:
    """Withdraw a notification as a producer does."""
    db.execute("SELECT notify.retract(%s, 'changed my mind')", [attempt.notification_id])


async def test_an_expired_notification_is_not_sent(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """PROCESSING becomes RETRACTED with the reason `expired`, and certainly unsent."""
    attempt = a_claimed(db, expires_at=LONG_AGO)

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["retraction_reason"]) == ("RETRACTED", "expired")
    assert kept["error_details"] is None
    assert novu_standin.stats()["calls"] == 0


async def test_a_withdrawn_notification_is_not_sent(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The producer withdrew it while it was held, and the holder released it without a send."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, retract_requested_at=LONG_AGO)

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["error_details"]) == ("RETRACTED", None)
    assert novu_standin.stats()["calls"] == 0


async def test_after_an_unknown_outcome_novu_is_asked_to_cancel(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Novu cancels what it still delays; the row shows an unknown delivery."""
    attempt = a_claimed(db)
    novu_standin.workflow("plain-0", delayed=True)
    novu_standin.fault("accept_then_reset")
    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    retract(db, attempt)

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    kept = row(db, attempt.notification_id)
    assert kept["notification_status"] == "RETRACTED"
    assert kept["error_details"] == {"delivery": "unknown"}
    assert kept["retraction_reason"] == "changed my mind"
    assert (novu_standin.stats()["cancelled"], novu_standin.deliver()) == (1, 0)


async def test_every_chunk_that_may_have_been_accepted_is_cancelled(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The first was accepted, the second has an unknown outcome, the third was never sent."""
    attempt = a_claimed(db, recipients=[f"s{i:03}" for i in range(250)])
    novu_standin.workflow("plain-0", delayed=True)
    novu_standin.fault("accept_then_reset", match={"recipient": "s150"})
    with pytest.raises(Unfinished):
        await executor.deliver(attempt)
    retract(db, attempt)

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    assert row(db, attempt.notification_id)["error_details"] == {"delivery": "unknown"}
    assert (novu_standin.stats()["cancelled"], novu_standin.deliver()) == (2, 0)


async def test_a_large_notification_without_a_send_is_certainly_retracted(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """No chunk was ever on its way."""
    attempt = a_claimed(db, recipients=[f"s{i:03}" for i in range(250)], expires_at=LONG_AGO)

    assert await executor.deliver(attempt) == [Status.RETRACTED]

    assert row(db, attempt.notification_id)["error_details"] is None
    assert novu_standin.stats()["calls"] == 0


async def test_a_failed_cancellation_is_tried_again_after_a_backoff(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """PROCESSING becomes FAILED: a release would make it due at once, as long as Novu refuses."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, unknown_outcomes=1, retract_requested_at=LONG_AGO)
    novu_standin.fault("status", status=422, match={"method": "DELETE"})

    assert await executor.deliver(attempt) == [Status.FAILED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"], kept["unknown_outcomes"]) == ("FAILED", 1, 1)
    assert kept["next_attempt_at"] > kept["updated_at"]


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status} for status in (401, 500, 503)),
        {"kind": "throttle", "seconds": 1},
    ],
)
async def test_an_outage_does_not_count_against_a_withdrawn_notification(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, fault: dict[str, Any]
) -> None:
    """For any duration, because a DEAD notification would never be cancelled."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, unknown_outcomes=1, retract_requested_at=LONG_AGO)
    novu_standin.fault(**fault, match={"method": "DELETE"})

    assert await executor.deliver(attempt) == [Status.FAILED]

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 0)


async def test_a_cancellation_that_hangs_does_not_block_others(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """The others of the group are sent while the cancellation waits for Novu."""
    withdrawn, other = a_claimed(db), a_claimed(db, recipients=["other"])
    written(db, withdrawn.notification_id, unknown_outcomes=1, retract_requested_at=LONG_AGO)
    novu_standin.fault("hang_before_accept", match={"method": "DELETE"})

    async with delivering(engine, novu_standin, call=SHORT) as executor:
        states = await executor.deliver(withdrawn, other)

    assert sorted(states) == ["FAILED", "SENT"]
    assert {subscriber for _, subscriber in novu_standin.deliveries()} == {"other"}
    assert PERSON not in str(row(db, withdrawn.notification_id)["error_details"])
