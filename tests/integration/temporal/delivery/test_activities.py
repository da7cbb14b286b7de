"""The boundary of the activities: history holds no content, and a stop leaves nothing half done."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tests.support.delivering import MARKERS, PERSON, SHORT, VALUE, a_claimed, delivering
from tests.support.executing import CALL, DEPLOYMENT, LIMITS, LONG, Executing, claims_of, executing, readable
from tests.support.logs import logged_in_full
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, row, soon, written
from tests.support.waiting import WITHIN, eventually
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput
from xnovu_poller.temporal.delivery.activities import DeliveryActivities

LONG_LOCAL = timedelta(seconds=60)
"""A call that no pause of the machine ends; it fits into a workflow task."""


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    with logged_in_full() as written:
        yield written


def of(*attempts: Attempt, deployment: UUID = DEPLOYMENT) -> DeliverInput:
    """Return an activity's input."""
    return DeliverInput(str(deployment), contract.pack(attempts), None, CALL.total_seconds())


def assert_silent(text: str) -> None:
    """Assert that the text contains no marker."""
    for marker in MARKERS:
        assert marker not in text


@pytest.mark.parametrize("name", [contract.DELIVER, contract.RECORD_LOST_CONTACT])
async def test_another_deployments_input_touches_no_row(
    engine: Engine, db: Db, novu_standin: NovuStandIn, name: str
) -> None:
    """It neither delivers nor records lost contact, and reports the reason."""
    attempt = a_claimed(db)
    before = row(db, attempt.notification_id)
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))
        with pytest.raises(ApplicationError, match="another deployment") as caught:
            await ActivityEnvironment().run(getattr(executor, name), of(attempt, deployment=UUID(int=1)))

    assert caught.value.non_retryable
    assert row(db, attempt.notification_id) == before
    assert novu_standin.stats()["calls"] == 0


async def test_a_regular_activity_heartbeats_while_novu_is_slow(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """From its first moment on, and only while it runs."""
    attempt = a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    environment = ActivityEnvironment()
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    async with delivering(engine, novu_standin) as made:
        running = asyncio.create_task(
            environment.run(DeliveryActivities(made.delivery, str(DEPLOYMENT)).deliver, of(attempt))
        )
        await eventually(lambda: beats)
        novu_standin.clear_faults()

        assert await running == "SENT"


async def test_a_single_notification_returns_its_state_and_a_group_does_not(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """The state becomes a search attribute; a group has no common state."""
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))

        async def deliver_one(*attempts: Attempt) -> str | None:
            return await ActivityEnvironment().run(executor.deliver, of(*attempts))

        draft = a_workflow(db, key="draft", publish_status="DRAFT")
        assert await deliver_one(a_claimed(db)) == "SENT"
        assert await deliver_one(a_claimed(db, workflow=draft)) == "DEAD workflow_not_found"
        assert await deliver_one(a_claimed(db, expires_at="2020-01-01T00:00Z")) == "RETRACTED"
        assert await deliver_one(a_claimed(db), a_claimed(db)) is None
        assert await deliver_one(Attempt(10**9, 1)) is None
        novu_standin.fault("status", status=503)
        assert await deliver_one(a_claimed(db)) == "PENDING"


async def test_lost_contact_returns_the_state_that_it_wrote(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """Of a single notification; None, if the row was not its to write."""
    attempt, last_failure, live = a_claimed(db), a_claimed(db), a_claimed(db)
    written(db, last_failure.notification_id, failure_count=7)
    written(db, live.notification_id, send_until=soon())
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))

        async def record_one(*attempts: Attempt) -> str | None:
            return await ActivityEnvironment().run(executor.record_lost_contact, of(*attempts))

        assert await record_one(attempt) == "FAILED"
        assert await record_one(last_failure) == "DEAD lost_contact"
        assert await record_one(live) is None
        assert await record_one(a_claimed(db), a_claimed(db)) is None


async def test_history_holds_no_content(
    client: Client,
    task_queue: str,
    engine: Engine,
    db: Db,
    lines: io.StringIO,
    novu_standin: NovuStandIn,
) -> None:
    """Neither of sent, refused or failed notifications; and the log holds none either."""
    a_template(db, key="parcel", body_template="${note.missing}")
    workflows = [
        a_workflow(db, key="strict", payload_schema={"properties": {"note": {"const": 1}}}),
        a_workflow(
            db,
            key="bad",
            workflow_type="DYNAMIC",
            default_channels="{EMAIL}",
            template_overrides={"EMAIL": "parcel"},
        ),
        a_workflow(db, key="good"),
        a_workflow(db, key="unknown"),
    ]
    attempts = [a_claimed(db, workflow=workflow) for workflow in workflows]
    novu_standin.fault("accept_then_hang", match={"workflow": "unknown"})
    novu_standin.fault("malformed", body=VALUE, match={"workflow": "unknown"}, times=2)
    async with executing(client, task_queue, engine, novu_standin, call=SHORT) as executor:
        histories = await asyncio.gather(*(executor.finish(claim) for claim in claims_of(db, attempts)))

    assert row(db, attempts[3].notification_id)["notification_status"] == "FAILED"
    written = readable(histories)
    assert "call_seconds" in written
    assert_silent(written + lines.getvalue())


async def test_only_the_name_of_a_bug_is_reported(
    executor: Executing,
    db: Db,
    lines: io.StringIO,
    novu_standin: NovuStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its message and its causes may quote content."""

    async def fail(*_: object, **__: object) -> None:
        raise ValueError(PERSON) from KeyError(VALUE)

    monkeypatch.setattr(Delivery, "_deliver", fail)
    attempt = a_claimed(db)

    history = await executor.finish(*claims_of(db, [attempt]))

    written = readable(history)
    assert "a bug: ValueError" in written
    assert '"bug": "ValueError"' in lines.getvalue()
    assert_silent(written + lines.getvalue())
    assert row(db, attempt.notification_id)["error_details"]["code"] == "lost_contact"


@pytest.mark.parametrize("local", [True, False], ids=["local", "regular"])
async def test_a_stop_lets_the_call_under_way_finish(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn, *, local: bool
) -> None:
    """Within the grace period its outcome is recorded, and no other executor has to repeat it."""
    attempts = [a_claimed(db) for _ in range(2)]
    novu_standin.fault("slow", seconds=WITHIN, times=None)
    patient = replace(LIMITS, grace=timedelta(seconds=WITHIN))
    call = LONG_LOCAL if local else LONG
    async with executing(client, task_queue, engine, novu_standin, limits=patient, call=call) as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-stopped"))
        await eventually(lambda: novu_standin.stats()["calls"] == 1)
        ending = asyncio.get_running_loop().call_later(0.2, novu_standin.clear_faults)
    assert not ending.cancelled()

    for attempt in attempts:
        assert row(db, attempt.notification_id)["notification_status"] == "SENT"
    async with executing(client, task_queue, engine, novu_standin):
        await handle.result()
    assert novu_standin.stats()["calls"] == 1


@pytest.mark.parametrize("local", [True, False], ids=["local", "regular"])
async def test_an_interrupted_call_is_repeated_by_the_next_executor(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn, *, local: bool
) -> None:
    """The hold keeps others away until it lapses; then the call is repeated under the same transaction id."""
    attempts = [a_claimed(db) for _ in range(2)]
    novu_standin.fault("accept_then_hang")
    no_grace = replace(LIMITS, grace=timedelta(0))
    call = CALL if local else LONG
    async with executing(client, task_queue, engine, novu_standin, limits=no_grace, call=call) as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-cut"))
        await eventually(lambda: novu_standin.stats()["accepted"] == len(attempts))

    db.execute("UPDATE notify.ent_notification SET send_until = '2020-01-01T00:00Z' WHERE send_until > now()")

    async with executing(client, task_queue, engine, novu_standin):
        await handle.result()

    for attempt in attempts:
        assert row(db, attempt.notification_id)["notification_status"] == "SENT"
    assert novu_standin.stats()["duplicates"] == 0
