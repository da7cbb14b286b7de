"""What an enterprise's schemas and templates cost is paid by its own notifications, never by others'."""

from itertools import count
from typing import Any

import pytest

from tests.support.delivering import Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, row
from xnovu_poller.cache import WeightedCache
from xnovu_poller.delivery import shares
from xnovu_poller.errors import Unfinished
from xnovu_poller.lifecycle import Attempt, Status


def use_up(executor: Delivering, enterprise: str) -> None:
    """Let an enterprise have used its share of a year."""
    executor.delivery._preparation._shares._charge(enterprise, 1e7)


def a_busy_group(db: Db) -> tuple[list[Attempt], Attempt]:
    """Insert three claimed rows of an enterprise, and one of another; return both."""
    workflow = a_workflow(db)
    busy = [a_claimed(db, workflow=workflow) for _ in range(3)]
    return busy, a_claimed(db, workflow=workflow, enterprise="globex")


async def test_others_are_sent_and_the_enterprise_waits(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Its rows are left for the next try: nothing is being sent, and nothing counts against them."""
    busy, other = a_busy_group(db)
    use_up(executor, "acme")

    with pytest.raises(Unfinished) as caught:
        await executor.deliver(*busy, other)

    assert caught.value.pause.total_seconds() == shares.LONGEST_WAIT
    assert row(db, other.notification_id)["notification_status"] == "SENT"
    rows = [row(db, attempt.notification_id) for attempt in busy]
    assert {kept["notification_status"] for kept in rows} == {"PROCESSING"}
    assert {(kept["send_until"], kept["failure_count"], kept["lapses"]) for kept in rows} == {(None, 0, 0)}
    assert novu_standin.stats()["calls"] == 1


async def test_on_the_last_try_they_are_released(executor: Delivering, db: Db) -> None:
    """They are claimed again, in the turn of their enterprise."""
    busy, other = a_busy_group(db)
    use_up(executor, "acme")

    states = await executor.deliver(*busy, other, last=True)

    assert sorted(states) == [Status.PENDING, Status.PENDING, Status.PENDING, Status.SENT]


async def test_they_are_sent_when_their_share_allows(executor: Delivering, db: Db) -> None:
    """Each is sent once."""
    busy, _ = a_busy_group(db)
    use_up(executor, "acme")
    with pytest.raises(Unfinished):
        await executor.deliver(*busy)
    executor.delivery._preparation._shares._accounts.clear()

    assert await executor.deliver(*busy) == [Status.SENT] * 3


async def test_the_work_on_a_template_counts(executor: Delivering, db: Db) -> None:
    """Its first use compiles it, even if it is then refused."""
    dynamic: dict[str, Any] = {
        "workflow_type": "DYNAMIC",
        "default_channels": "{EMAIL}",
        "template_overrides": {"EMAIL": "parcel"},
    }
    a_template(db, body_template="${a.b or c}" * 500)
    attempt = a_claimed(db, workflow=a_workflow(db, **dynamic))
    # Each look at these clocks is later by more than light work takes, so any piece of work is heavy.
    passed, used = count(), count()
    counting = executor.delivery._preparation._shares = shares.Shares(
        lambda: next(passed) * 2 * shares.LIGHT, lambda: next(used) * 2 * shares.LIGHT
    )

    assert await executor.deliver(attempt) == [Status.DEAD]

    assert counting._accounts.keys() == {"acme"}


async def test_the_workflows_that_are_kept_are_bounded_by_bytes(executor: Delivering, db: Db) -> None:
    """An enterprise that uses many or heavy workflows pushes out only its own."""
    preparation = executor.delivery._preparation
    kept = preparation._workflows = WeightedCache(16_000)
    quiet = a_workflow(db, key="quiet", enterprise="globex")
    assert await executor.deliver(a_claimed(db, workflow=quiet, enterprise="globex")) == [Status.SENT]
    for number in range(5):
        made = a_workflow(
            db, key=f"checked-{number}", enterprise="acme", payload_schema={"title": "x" * 3000}
        )
        assert await executor.deliver(a_claimed(db, workflow=made)) == [Status.SENT]
        assert {owner: len(own) for owner, own in kept._kept.items()} == {
            "globex": 1,
            "acme": min(number + 1, 2),
        }
