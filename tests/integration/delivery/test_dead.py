"""What no attempt can mend is DEAD, and its row says why, in no word of the payload."""

from typing import Any

import pytest

from tests.support.delivering import VALUE, Delivering, a_claimed, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_template, a_workflow, row
from xnovu_poller import metrics
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine

DYNAMIC: dict[str, Any] = {
    "workflow_type": "DYNAMIC",
    "default_channels": "{EMAIL}",
    "template_overrides": {"EMAIL": "parcel"},
}


async def reason(executor: Delivering, db: Db, *, workflow: int) -> dict[str, Any]:
    """Deliver what is to end DEAD; give what its row says."""
    one = a_claimed(db, workflow=workflow)
    assert await executor.deliver(one) == [Status.DEAD]
    kept = row(db, one.notification_id)
    assert kept["notification_status"] == "DEAD"
    assert (kept["processed_at"] is None, kept["refusals"]) == (False, 0)
    assert VALUE not in str(kept["error_details"])
    details: dict[str, Any] = kept["error_details"]
    return details


async def test_a_missing_template(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """Of another enterprise, of another channel, or a draft: none is published for this one."""
    a_template(db, key="parcel", enterprise="globex")
    a_template(db, key="parcel", channel_type="SMS")
    a_template(db, key="parcel", publish_status="DRAFT")

    said = await reason(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert said["code"] == "template_missing"
    assert novu_standin.stats()["calls"] == 0


async def test_an_unsafe_template(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """It is never run, and no raw text reaches a user."""
    a_template(db, key="parcel", body_template="<% import os %>")

    said = await reason(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert said["code"] == "template_unsafe"
    assert novu_standin.stats()["calls"] == 0


async def test_a_template_that_cannot_be_filled(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A variable is missing."""
    a_template(db, key="parcel", body_template="${missing}")

    said = await reason(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert said["code"] == "template_failed"


async def test_a_broken_schema_rule(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """Path and rule, and not the value."""
    workflow = a_workflow(db, payload_schema={"properties": {"note": {"type": "integer"}}})

    said = await reason(executor, db, workflow=workflow)

    assert said == {
        "code": "validation_error",
        "message": "payload: $.note breaks the rule 'type' of the workflow's schema",
    }
    assert novu_standin.stats()["calls"] == 0


@pytest.mark.parametrize(
    "columns",
    [{"publish_status": "DRAFT"}, {"deactivated": True}, {"enterprise": "globex"}],
    ids=["draft", "deactivated", "another enterprise's"],
)
async def test_a_workflow_that_is_not_for_it(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, columns: dict[str, Any]
) -> None:
    """Neither a draft, nor a deactivated one, nor a foreign one."""
    said = await reason(executor, db, workflow=a_workflow(db, **columns))

    assert said["code"] == "workflow_not_found"
    assert novu_standin.stats()["calls"] == 0


async def test_no_workflow_at_all(executor: Delivering, db: Db) -> None:
    """A producer may leave it out; nobody can send that."""
    one = Attempt(a_notification(db, status=Status.PROCESSING), 1)

    assert await executor.deliver(one) == [Status.DEAD]

    assert row(db, one.notification_id)["error_details"]["code"] == "workflow_not_found"


async def test_the_failure_that_reaches_the_limit(engine: Engine, db: Db, novu_standin: NovuStandIn) -> None:
    """PROCESSING → DEAD, counted as a failure and as a death."""
    one = a_claimed(db)
    novu_standin.fault("accept_then_reset")
    died, failed = metrics.DEAD.labels("novu_unanswered"), metrics.FAILED.labels("novu_unanswered")
    before = died._value.get(), failed._value.get()

    async with delivering(engine, novu_standin, max_failures=1) as executor:
        assert await executor.deliver(one, last=True) == [Status.DEAD]

    assert row(db, one.notification_id)["notification_status"] == "DEAD"
    assert (died._value.get(), failed._value.get()) == (before[0] + 1, before[1] + 1)
