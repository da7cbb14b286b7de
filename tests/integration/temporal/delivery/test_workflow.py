"""The tries of an attempt in a real Temporal."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from tests.support.delivering import a_claimed
from tests.support.executing import CALL, DEPLOYMENT, Executing, claims_of, executing
from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow, row, sqlalchemy_url, written
from tests.support.waiting import eventually
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import connect
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput

OVER = """
CREATE FUNCTION public.over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.send_until = '2020-01-01T00:00Z';
    RETURN NEW;
END $$;
CREATE TRIGGER over BEFORE UPDATE ON notify.ent_notification
    FOR EACH ROW WHEN (NEW.send_until > now()) EXECUTE FUNCTION public.over();"""
"""Each hold is over as soon as it is written, so that no try waits for the try before."""


def events(history: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    """Return the events of these kinds."""
    wanted = {f"EVENT_TYPE_{kind}" for kind in kinds}
    return [event for event in history["events"] if event["eventType"] in wanted]


def activities(history: dict[str, Any]) -> list[str]:
    """Return the names of the regular activities that were scheduled."""
    return [
        event["activityTaskScheduledEventAttributes"]["activityType"]["name"]
        for event in events(history, "ACTIVITY_TASK_SCHEDULED")
    ]


async def find(client: Client, query: str, ids: Iterable[str]) -> set[str]:
    """Return those of these run ids that a query finds."""
    names = ", ".join(f"'{run_id}'" for run_id in ids)
    return {run.id async for run in client.list_workflows(f"{query} AND WorkflowId IN ({names})")}


async def test_a_single_notification_is_tried_within_the_first_task(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """The history has a marker, no scheduled activity, and five events from start to end."""
    attempt = a_claimed(db)

    history = await executor.finish(*claims_of(db, [attempt]))

    assert row(db, attempt.notification_id)["notification_status"] == "SENT"
    assert activities(history) == []
    assert len(events(history, "MARKER_RECORDED")) == 1
    assert len(events(history, "WORKFLOW_TASK_SCHEDULED")) == 1
    assert events(history, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES") == []
    assert novu_standin.stats()["deliveries"] == 1


async def test_after_an_unknown_outcome_a_regular_activity_follows(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """It has Temporal's heartbeats and retries; still, there is only one delivery."""
    attempt = a_claimed(db)
    novu_standin.fault("accept_then_reset")

    history = await executor.finish(*claims_of(db, [attempt]))

    assert row(db, attempt.notification_id)["notification_status"] == "SENT"
    assert activities(history) == ["deliver"]
    scheduled = events(history, "ACTIVITY_TASK_SCHEDULED")[0]["activityTaskScheduledEventAttributes"]
    assert scheduled["heartbeatTimeout"] != "0s"
    assert scheduled["retryPolicy"]["maximumAttempts"] == 2
    assert (novu_standin.stats()["calls"], novu_standin.stats()["duplicates"]) == (2, 0)


async def test_an_attempt_ends_after_three_tries(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """The last try records the failure itself, so lost contact need not be recorded."""
    attempt = a_claimed(db)
    novu_standin.fault("reset_before_accept", times=None)

    claims = claims_of(db, [attempt])
    history = await executor.finish(*claims)

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"], kept["unknown_outcomes"]) == ("FAILED", 1, 3)
    assert novu_standin.stats()["calls"] == 3
    assert activities(history) == ["deliver"]
    [upsert] = events(history, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    assert "XnovuOutcome" in json.dumps(upsert)
    ids = [claims[0].run_id]
    await eventually(lambda: find(executor.client, "XnovuOutcome = 'FAILED'", ids))


async def test_a_group_is_a_single_local_activity(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """The retry is a regular activity with only the rows that are still PROCESSING."""
    workflow = a_workflow(db)
    attempts = [a_claimed(db, workflow=workflow, recipients=[f"s{i}"]) for i in range(5)]
    # A row that may have been accepted is sent by itself.
    written(db, attempts[3].notification_id, unknown_outcomes=1)
    novu_standin.fault("accept_then_reset", match={"recipient": "s3"})

    history = await executor.finish(*claims_of(db, attempts, group=f"{db.info.dbname}-group"))

    assert {row(db, attempt.notification_id)["notification_status"] for attempt in attempts} == {"SENT"}
    assert activities(history) == ["deliver"]
    assert len(events(history, "MARKER_RECORDED")) == 1
    stats = novu_standin.stats()
    assert (stats["calls"], stats["deliveries"], stats["duplicates"]) == (3, 5, 0)


async def test_runs_are_found_by_their_search_attributes(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """Enterprise, notification and workflow from the start; the outcome only if it is not SENT."""
    dead = a_claimed(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"), enterprise="globex")
    sent = a_claimed(db, enterprise="globex")
    claims = claims_of(db, [dead, sent])
    for claim in claims:
        await executor.finish(claim)
    ids = [claim.run_id for claim in claims]

    async def both() -> bool:
        return await find(executor.client, "XnovuEnterpriseId = 'globex'", ids) == set(ids)

    await eventually(both)
    query = f"XnovuNotificationId = '{sent.notification_id}' AND XnovuWorkflowKey = 'plain'"
    assert await find(executor.client, query, ids) == {ids[1]}
    await eventually(lambda: find(executor.client, "XnovuOutcome = 'DEAD'", ids[:1]))
    assert await find(executor.client, "XnovuOutcome IS NOT NULL", ids) == {ids[0]}


async def test_the_run_of_a_dead_notification_fails_with_its_code(executor: Executing, db: Db) -> None:
    """People see it in Temporal's UI, beside a summary of what it was for; the group of a dead one completes."""
    draft = a_workflow(db, key="draft", publish_status="DRAFT")
    claims = claims_of(db, [a_claimed(db, workflow=draft, enterprise="globex")])
    history = await executor.finish(*claims)

    described = await executor.client.get_workflow_handle(claims[0].run_id).describe()
    [failed] = events(history, "WORKFLOW_EXECUTION_FAILED")
    failure = failed["workflowExecutionFailedEventAttributes"]["failure"]
    assert failure["applicationFailureInfo"]["type"] == "workflow_not_found"
    assert described.status is WorkflowExecutionStatus.FAILED
    assert await described.static_summary() == f"plain of globex: notification {claims[0].notification_id}"

    group = claims_of(db, [a_claimed(db, workflow=draft) for _ in range(2)], group=f"{db.info.dbname}-dead")
    assert events(await executor.finish(*group), "WORKFLOW_EXECUTION_COMPLETED")


@pytest.mark.parametrize(("failures", "state"), [(0, "FAILED"), (7, "DEAD")])
async def test_lost_contact_is_recorded_after_the_tries(
    executor: Executing, db: Db, novu_standin: NovuStandIn, failures: int, state: str
) -> None:
    """A table is missing until every try has failed. The workflow records lost contact, and returns the row's state."""
    attempt = a_claimed(db)
    written(db, attempt.notification_id, failure_count=failures)
    db.execute("ALTER TABLE notify.ent_notification_template RENAME TO away")
    db.execute('UPDATE notify.ent_notification_workflow SET template_overrides = \'{"EMAIL": "k"}\'')
    db.execute("UPDATE notify.ent_notification_workflow SET default_channels = '{EMAIL}'")
    db.execute(OVER)
    claims = claims_of(db, [attempt])
    history = await executor.finish(*claims)

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == (state, failures + 1)
    assert kept["error_details"]["code"] == "lost_contact"
    assert activities(history) == ["deliver", "record_lost_contact"]
    ids = [claims[0].run_id]
    await eventually(lambda: find(executor.client, f"XnovuOutcome = '{state}'", ids))


PROLONG = """
WITH live AS MATERIALIZED (
    SELECT id, send_until FROM notify.ent_notification
    WHERE id = %s AND notification_status = 'PROCESSING'
        AND coalesce(send_until, '-infinity') < clock_timestamp() + interval '2 s'
    FOR NO KEY UPDATE
)
UPDATE notify.ent_notification AS n SET send_until = clock_timestamp() + interval '6 s'
FROM live WHERE n.id = live.id
RETURNING live.send_until AS before, n.send_until AS until"""
"""A try begins when the send that it has met is over. The row is prolonged two seconds before, because a try that meets
a locked row leaves it to the rescue."""


async def closed_while_held(executor: Executing, db: Db, attempt: Attempt) -> WorkflowHandle[Any, Any] | None:
    """Run an attempt whose row somebody else holds until the run has ended.

    Returns:
        None if the machine stood still until a hold was over, or nearly.
    """
    in_time = True
    ends: list[datetime] = []

    def prolong() -> None:
        nonlocal in_time
        for held in db.execute(PROLONG, [attempt.notification_id]).fetchall():
            [clock] = db.execute("SELECT clock_timestamp() + interval '1 s' AS soon")
            in_time &= held["before"] is None or clock["soon"] < held["before"]
            ends.append(held["until"])

    prolong()
    handle = await executor.begin(*claims_of(db, [attempt]))

    async def closed() -> datetime | None:
        prolong()
        return (await handle.describe()).close_time

    closed_at = await eventually(closed)
    return handle if in_time and closed_at is not None and closed_at < ends[-1] else None


async def test_an_attempt_without_a_record_is_lost(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """Somebody else holds the row during each try and at the end, and may still record it."""

    async def lost() -> bool:
        calls = novu_standin.stats()["calls"]
        attempt = a_claimed(db)
        handle = await closed_while_held(executor, db, attempt)
        if handle is None:
            return False
        assert row(db, attempt.notification_id)["notification_status"] == "PROCESSING"
        history = (await handle.fetch_history()).to_json_dict()
        assert activities(history) == ["deliver", "record_lost_contact"]
        await eventually(lambda: find(executor.client, "XnovuOutcome = 'LOST'", [handle.id]))
        assert novu_standin.stats()["calls"] == calls
        return True

    await eventually(lost)


@pytest.mark.parametrize("attempts", [None, "1-99999999999:1"], ids=["nonsense", "too many"])
async def test_a_workflow_fails_and_does_not_hang(
    client: Client, executor: Executing, task_queue: str, attempts: str | None
) -> None:
    """An unreadable input closes it, so the rescue takes over its rows."""
    unreadable = {
        "deployment": str(DEPLOYMENT),
        "attempts": attempts,
        "enterprise_id": None,
        "call_seconds": 1.0,
    }
    handle = await client.start_workflow(
        contract.WORKFLOW,
        {"nonsense": True} if attempts is None else unreadable,
        id=f"{task_queue}-nonsense",
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )

    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED


async def test_without_registered_attributes_none_is_set(
    client: Client, executor: Executing, task_queue: str, db: Db, novu_standin: NovuStandIn
) -> None:
    """Setting one would fail the workflow task as long as the workflow is open."""
    attempt = a_claimed(db, workflow=a_workflow(db, key="draft", publish_status="DRAFT"))
    deliver_input = DeliverInput(
        str(DEPLOYMENT), contract.pack([attempt]), None, CALL.total_seconds(), searchable=False
    )

    handle = await client.start_workflow(
        contract.WORKFLOW, deliver_input, id=f"{task_queue}-plain", task_queue=task_queue
    )
    await handle.result()

    history = (await handle.fetch_history()).to_json_dict()
    assert row(db, attempt.notification_id)["notification_status"] == "DEAD"
    assert events(history, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES") == []


async def test_a_try_waits_for_a_live_twin(executor: Executing, db: Db, novu_standin: NovuStandIn) -> None:
    """The next try comes after the twin's hold has passed; it counts the lapse, and sends the row by itself."""
    attempt = a_claimed(db)
    db.execute("UPDATE notify.ent_notification SET send_until = clock_timestamp() + interval '5 s'")

    history = await executor.finish(*claims_of(db, [attempt]))

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["lapses"]) == ("SENT", 1)
    assert len(events(history, "TIMER_FIRED")) == 1
    assert novu_standin.stats()["calls"] == 1


async def test_a_call_longer_than_a_workflow_task_is_a_regular_activity(
    executor: Executing, client: Client, task_queue: str, db: Db, novu_standin: NovuStandIn
) -> None:
    """A local activity would be interrupted in the middle of each send."""
    attempt = a_claimed(db)
    deliver_input = DeliverInput(str(DEPLOYMENT), contract.pack([attempt]), None, 300.0)

    handle = await client.start_workflow(
        contract.WORKFLOW, deliver_input, id=f"{task_queue}-long", task_queue=task_queue
    )
    await handle.result()

    assert activities((await handle.fetch_history()).to_json_dict()) == ["deliver"]
    assert row(db, attempt.notification_id)["notification_status"] == "SENT"


async def test_an_outage_of_the_database_does_not_count_against_a_notification(
    client: Client, db: Db, database: str, task_queue: str, novu_standin: NovuStandIn
) -> None:
    """It makes all three tries fail; afterwards the row is FAILED with nothing counted, and due again."""
    attempt = a_claimed(db)
    async with proxied(database) as proxy:
        engine = connect(sqlalchemy_url(proxy.through(database)), part="test")
        async with executing(client, task_queue, engine, novu_standin) as executor:
            proxy.cut()
            handle = await executor.begin(*claims_of(db, [attempt]))

            async def given_up() -> bool:
                return "record_lost_contact" in activities((await handle.fetch_history()).to_json_dict())

            await eventually(given_up)
            proxy.mend()
            await handle.result()
        await engine.dispose()

    kept = row(db, attempt.notification_id)
    assert (kept["notification_status"], kept["failure_count"], kept["lapses"]) == ("FAILED", 0, 0)
    assert kept["next_attempt_at"] is not None
    assert novu_standin.stats()["triggers"] == 0
