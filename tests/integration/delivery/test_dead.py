"""A notification that no attempt can send is DEAD; its row has the reason, without content of the payload."""

from typing import Any

import pytest

from tests.support.delivering import VALUE, Delivering, a_claimed, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_template, a_workflow, row, unguarded
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


BOMBS: dict[str, dict[str, Any]] = {
    "1,000 patterns": {"patternProperties": {f"(ab|cd){{9000}}z{n}": True for n in range(1000)}},
    "a pattern that hides its size": {"properties": {"note": {"pattern": "((a{1,1000}){1,1000}){1,1000}"}}},
    "60,000 Unicode letters": {"properties": {"note": {"pattern": r"^(\p{L}{1,300}){1,200}$"}}},
    "too many bytes": {"title": "x" * 65_536},
    "too many parts": {"anyOf": [{"minLength": 1}] * 5000},
    "doubled by references": {
        "$defs": {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 2} for n in range(40)} | {"p40": {}},
        "$ref": "#/$defs/p0",
    },
}


@pytest.mark.parametrize("schema", BOMBS.values(), ids=BOMBS.keys())
async def test_a_schema_that_would_take_all_memory_or_time_is_refused(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, schema: dict[str, Any]
) -> None:
    """It is refused before it is compiled, in a sentence with the limit; every other row of the group is sent."""
    with unguarded(db):
        workflow = a_workflow(db, key="bad", payload_schema=schema)
    bad = a_claimed(db, workflow=workflow)
    good = a_claimed(db, enterprise="globex")

    assert sorted(await executor.deliver(bad, good)) == [Status.DEAD, Status.SENT]

    details = row(db, bad.notification_id)["error_details"]
    assert details["code"] == "validation_error"
    assert details["message"].startswith("payload: $ cannot be checked: payload_schema ")
    assert len(details["message"]) < 300
    assert novu_standin.stats()["calls"] == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"body_template": "x" * 300_000},
        {"body_template": ("${" + "a or " * 90 + "a}") * 130},
        {"subject_template": "x" * 5_000},
        {"defaults": {"a": "x" * 1_100_000}},
    ],
    ids=["body", "expressions", "subject", "defaults"],
)
async def test_a_template_that_would_take_all_memory_or_time_is_refused(
    executor: Delivering, db: Db, columns: dict[str, Any]
) -> None:
    """The sentence has the limit."""
    with unguarded(db):
        a_template(db, key="parcel", **columns)

    details = await deliver_dead(executor, db, workflow=a_workflow(db, **DYNAMIC))

    assert details["code"] == "template_unsafe"


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
