"""A notification that no attempt can send is DEAD; its row has the reason, without content of the payload."""

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


async def deliver_dead(executor: Delivering, db: Db, *, workflow: int) -> dict[str, Any]:
    """Deliver a notification that ends DEAD; return its error details."""
    attempt = a_claimed(db, workflow=workflow)
    assert await executor.deliver(attempt) == [Status.DEAD]
    kept = row(db, attempt.notification_id)
    assert kept["notification_status"] == "DEAD"
    assert (kept["processed_at"] is None, kept["refusals"]) == (False, 0)
    assert VALUE not in str(kept["error_details"])
    details: dict[str, Any] = kept["error_details"]
    return details


async def test_a_notification_without_its_template_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Templates of another enterprise or channel, and drafts, do not count."""
    a_template(db, key="parcel", enterprise="globex")
    a_template(db, key="parcel", channel_type="SMS")
    a_template(db, key="parcel", publish_status="DRAFT")

    details = await deliver_dead(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert details["code"] == "template_missing"
    assert novu_standin.stats()["calls"] == 0


async def test_a_notification_with_an_unsafe_template_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The template never runs, and no user gets its raw text."""
    a_template(db, key="parcel", body_template="<% import os %>")

    details = await deliver_dead(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert details["code"] == "template_unsafe"
    assert novu_standin.stats()["calls"] == 0


async def test_a_notification_that_cannot_fill_its_template_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """A variable is missing."""
    a_template(db, key="parcel", body_template="${missing}")

    details = await deliver_dead(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert details["code"] == "template_failed"


async def test_a_notification_that_breaks_its_schema_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """The message has the path and the rule, but not the value."""
    workflow = a_workflow(db, payload_schema={"properties": {"note": {"type": "integer"}}})

    details = await deliver_dead(executor, db, workflow=workflow)

    assert details == {
        "code": "validation_error",
        "message": "payload: $.note breaks 'type' of the workflow's payload_schema",
    }
    assert novu_standin.stats()["calls"] == 0


@pytest.mark.parametrize(
    "columns",
    [{"publish_status": "DRAFT"}, {"deactivated": True}, {"enterprise": "globex"}],
    ids=["draft", "deactivated", "another enterprise's"],
)
async def test_a_notification_with_an_unusable_workflow_is_dead(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, columns: dict[str, Any]
) -> None:
    """The workflow is a draft, deactivated, or another enterprise's."""
    details = await deliver_dead(executor, db, workflow=a_workflow(db, **columns))

    assert details["code"] == "workflow_not_found"
    assert novu_standin.stats()["calls"] == 0


async def test_a_notification_without_a_workflow_is_dead(executor: Delivering, db: Db) -> None:
    """A producer may omit it, but then nobody can send the notification."""
    attempt = Attempt(a_notification(db, status=Status.PROCESSING), 1)

    assert await executor.deliver(attempt) == [Status.DEAD]

    assert row(db, attempt.notification_id)["error_details"]["code"] == "workflow_not_found"


async def test_the_failure_that_reaches_the_limit_ends_dead(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """It is counted both as a failure and as a death."""
    attempt = a_claimed(db)
    novu_standin.fault("accept_then_reset")
    died, failed = metrics.DEAD.labels("novu_unanswered"), metrics.FAILED.labels("novu_unanswered")
    before = died._value.get(), failed._value.get()

    async with delivering(engine, novu_standin, max_failures=1) as executor:
        assert await executor.deliver(attempt, last=True) == [Status.DEAD]

    assert row(db, attempt.notification_id)["notification_status"] == "DEAD"
    assert (died._value.get(), failed._value.get()) == (before[0] + 1, before[1] + 1)
