"""The edge of the activities: what leaves it stands in history, and a stop leaves nothing half done."""

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
from tests.support.rows import Db, a_template, a_workflow, row, written
from tests.support.waiting import eventually
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput
from xnovu_poller.temporal.delivery.activities import DeliveryActivities


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that is logged."""
    with logged_in_full() as written:
        yield written


def of(*attempts: Attempt, deployment: UUID = DEPLOYMENT) -> DeliverInput:
    """Make an input."""
    return DeliverInput(str(deployment), contract.to_pairs(attempts), None, CALL.total_seconds())


def assert_silent(text: str) -> None:
    """Find no marker."""
    for marker in MARKERS:
        assert marker not in text


@pytest.mark.parametrize("name", [contract.DELIVER, contract.RECORD_LOST_CONTACT])
async def test_another_deployments_input_touches_no_row(
    engine: Engine, db: Db, novu_standin: NovuStandIn, name: str
) -> None:
    """Neither delivers it nor loses it, and says so once."""
    one = a_claimed(db)
    before = row(db, one.notification_id)
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))
        with pytest.raises(ApplicationError, match="another deployment") as caught:
            await ActivityEnvironment().run(getattr(executor, name), of(one, deployment=UUID(int=1)))

    assert caught.value.non_retryable
    assert row(db, one.notification_id) == before
    assert novu_standin.stats()["calls"] == 0


async def test_a_regular_activity_heartbeats_while_novu_is_slow(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """From its first moment on; and no longer than it lasts."""
    one = a_claimed(db)
    novu_standin.fault("slow", seconds=30)
    environment = ActivityEnvironment()
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    async with delivering(engine, novu_standin) as made:
        running = asyncio.create_task(
            environment.run(DeliveryActivities(made.delivery, str(DEPLOYMENT)).deliver, of(one))
        )
        await eventually(lambda: beats)
        novu_standin.clear_faults()

        assert await running == "SENT"


async def test_a_single_notification_tells_how_it_went_and_a_group_does_not(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """The word becomes a search attribute; a group has no one word."""
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))

        async def told(*attempts: Attempt) -> str | None:
            return await ActivityEnvironment().run(executor.deliver, of(*attempts))

        draft = a_workflow(db, key="draft", publish_status="DRAFT")
        assert await told(a_claimed(db)) == "SENT"
        assert await told(a_claimed(db, workflow=draft)) == "DEAD"
        assert await told(a_claimed(db, expires_at="2020-01-01T00:00Z")) == "RETRACTED"
        assert await told(a_claimed(db), a_claimed(db)) is None
        assert await told(Attempt(10**9, 1)) is None
        novu_standin.fault("status", status=503)
        assert await told(a_claimed(db)) == "PENDING"


async def test_lost_contact_gives_the_state_that_it_wrote(
    engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """Of a single notification; nothing where the row was not its to write."""
    one, last, live = a_claimed(db), a_claimed(db), a_claimed(db)
    written(db, last.notification_id, failure_count=7)
    written(db, live.notification_id, send_until="2100-01-01T00:00Z")
    async with delivering(engine, novu_standin) as made:
        executor = DeliveryActivities(made.delivery, str(DEPLOYMENT))

        async def lost(*attempts: Attempt) -> str | None:
            return await ActivityEnvironment().run(executor.record_lost_contact, of(*attempts))

        assert await lost(one) == "FAILED"
        assert await lost(last) == "DEAD"
        assert await lost(live) is None
        assert await lost(a_claimed(db), a_claimed(db)) is None


async def test_history_holds_no_value(
    client: Client,
    task_queue: str,
    engine: Engine,
    db: Db,
    lines: io.StringIO,
    novu_standin: NovuStandIn,
) -> None:
    """Neither of what is sent, nor of what is refused, nor of what fails; nor does the log."""
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
    novu_standin.fault("accept_then_hang", match={"workflow": "unknown"}, times=2)
    novu_standin.fault("malformed", body=VALUE, match={"workflow": "unknown"})
    async with executing(client, task_queue, engine, novu_standin, call=SHORT) as executor:
        histories = await asyncio.gather(*(executor.finish(claim) for claim in claims_of(db, attempts)))

    assert row(db, attempts[3].notification_id)["notification_status"] == "FAILED"
    written = readable(histories)
    assert "call_seconds" in written
    assert_silent(written + lines.getvalue())


async def test_a_bug_is_told_by_its_name_alone(
    executor: Executing,
    db: Db,
    lines: io.StringIO,
    novu_standin: NovuStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its message and its causes may quote what it stumbled over."""

    async def stumble(*_: object, **__: object) -> None:
        raise ValueError(PERSON) from KeyError(VALUE)

    monkeypatch.setattr(Delivery, "_deliver", stumble)
    one = a_claimed(db)

    history = await executor.finish(*claims_of(db, [one]))

    written = readable(history)
    assert "a bug: ValueError" in written
    assert '"bug": "ValueError"' in lines.getvalue()
    assert_silent(written + lines.getvalue())
    assert row(db, one.notification_id)["error_details"]["code"] == "lost_contact"


@pytest.mark.parametrize("local", [True, False], ids=["local", "regular"])
async def test_a_stop_lets_the_call_under_way_end(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn, *, local: bool
) -> None:
    """Within the grace; it is recorded, and nothing is left to anybody else."""
    attempts = [a_claimed(db) for _ in range(2)]
    novu_standin.fault("slow", seconds=30, times=None)
    async with executing(client, task_queue, engine, novu_standin, call=CALL if local else LONG) as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-stopped"))
        await eventually(lambda: novu_standin.stats()["calls"] == 1)
        ending = asyncio.get_running_loop().call_later(0.2, novu_standin.clear_faults)
    assert not ending.cancelled()

    for one in attempts:
        assert row(db, one.notification_id)["notification_status"] == "SENT"
    async with executing(client, task_queue, engine, novu_standin):
        await handle.result()
    assert novu_standin.stats()["calls"] == 1


@pytest.mark.parametrize("local", [True, False], ids=["local", "regular"])
async def test_a_stop_that_cuts_a_call_leaves_it_to_the_next_executor(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn, *, local: bool
) -> None:
    """The hold keeps others away until it lapses; then it goes on under the same transaction id."""
    attempts = [a_claimed(db) for _ in range(2)]
    novu_standin.fault("accept_then_hang")
    hasty = replace(LIMITS, grace=timedelta(0))
    call = CALL if local else LONG
    async with executing(client, task_queue, engine, novu_standin, limits=hasty, call=call) as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-cut"))
        await eventually(lambda: novu_standin.stats()["accepted"] == len(attempts))

    db.execute("UPDATE notify.ent_notification SET send_until = '2020-01-01T00:00Z' WHERE send_until > now()")

    async with executing(client, task_queue, engine, novu_standin):
        await handle.result()

    for one in attempts:
        assert row(db, one.notification_id)["notification_status"] == "SENT"
    assert novu_standin.stats()["duplicates"] == 0
