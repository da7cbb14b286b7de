"""The reconciliation when a rule, a schedule, a tenant or Temporal is at fault: the others are not affected."""

from uuid import UUID

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
)
from temporalio.service import RPCError, RPCStatusCode

from tests.integration.temporal.conftest import Run
from tests.support.counted import counted
from tests.support.firing import listing, read_status
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from tests.support.wires import Meeting, Wire, nothing
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules import follow
from xnovu_poller.temporal.rules.decisions import decide
from xnovu_poller.temporal.rules.schedules import RuleSchedules

AWAY = RPCStatusCode.UNAVAILABLE


def fail_calls(*schedules: str, call: str = "create", status: RPCStatusCode = AWAY) -> Meeting:
    """Make calls about some schedules, or all, fail with a status."""

    async def fail(made: str, schedule: str) -> None:
        if made == call and (not schedules or schedule in schedules):
            raise RPCError("not now", status, b"")

    return fail


async def test_a_refusal_by_temporal_is_recorded_on_that_rule_only(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire, deployment: UUID
) -> None:
    """It may be a zone that Temporal does not know; the next run tries again."""
    good, bad = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    refused = contract.rule_schedule_id(deployment, bad)
    wire.meets = fail_calls(refused, status=RPCStatusCode.INVALID_ARGUMENT)

    assert await run() == {"created": 1, "failed": 1}
    assert read_status(db, good) == ("SCHEDULED", None)
    assert read_status(db, bad) == ("FAILED", "Temporal: refuses the schedule (not now)")
    await listing(schedules, good)
    wire.meets = nothing
    assert await run() == {"created": 1, "unchanged": 1}


async def test_an_absent_temporal_ends_the_run_and_the_next_run_succeeds(
    run: Run, db: Db, workflow: int, wire: Wire
) -> None:
    """No rule's status changes because of it."""
    rule = a_rule(db, workflow=workflow)
    wire.meets = fail_calls()
    with pytest.raises(TemporalUnavailable):
        await run()
    assert read_status(db, rule) == (None, None)
    wire.meets = nothing
    assert await run() == {"created": 1}


async def test_a_schedule_that_does_not_answer_delays_no_other(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire, deployment: UUID
) -> None:
    """The others are created and recorded, and the run fails in the end."""
    silent, good = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    wire.meets = fail_calls(contract.rule_schedule_id(deployment, silent))
    with pytest.raises(TemporalUnavailable):
        await run()
    assert (read_status(db, silent), read_status(db, good)) == ((None, None), ("SCHEDULED", None))
    await listing(schedules, good)


async def test_an_absent_temporal_is_not_called_for_each_rule(
    run: Run, db: Db, workflow: int, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise thousands of calls would each wait for their timeout."""
    called = []
    for _ in range(3 * follow.MOST_UNANSWERED):
        a_rule(db, workflow=workflow)

    async def away(_: str, schedule: str) -> None:
        called.append(schedule)
        raise RPCError("not now", AWAY, b"")

    wire.meets = away
    monkeypatch.setattr(follow, "AT_ONCE", 1)
    with pytest.raises(TemporalUnavailable):
        await run()
    assert len(called) == follow.MOST_UNANSWERED


async def test_configs_are_read_in_a_thread(run: Run, db: Db, workflow: int) -> None:
    """The event loop goes on meanwhile."""
    a_rule(db, workflow=workflow)
    with counted(decide) as in_the_loop:
        assert await run() == {"created": 1}
    assert in_the_loop == [0]


async def test_a_schedule_with_an_unreadable_memo_is_not_ours(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID, task_queue: str
) -> None:
    """It may be encrypted; it breaks no reconciliation, and is not overwritten."""
    rule = a_rule(db, workflow=workflow)
    unreadable = {"xnovu_rule": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\xff")}
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue=task_queue)
    name = contract.rule_schedule_id(deployment, rule)
    await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()), memo=unreadable)
    await eventually(lambda: _is_listed(client, deployment))

    assert await run() == {"failed": 1}
    assert "belongs to a schedule that is not ours" in str(read_status(db, rule)[1])


async def test_a_schedule_that_cannot_be_deleted_delays_no_rule(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire
) -> None:
    """Orphans are deleted first; the next run tries again."""
    gone = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone)
    db.execute("DELETE FROM notify.ent_notification_rule")
    a_rule(db, workflow=workflow)

    wire.meets = fail_calls(call="delete", status=RPCStatusCode.FAILED_PRECONDITION)
    assert await run() == {"created": 1}
    wire.meets = nothing
    assert (await run())["deleted"] == 1


async def _is_listed(client: Client, deployment: UUID) -> bool:
    query = f"ScheduleId STARTS_WITH '{contract.prefix(deployment)}'"
    return [listed async for listed in await client.list_schedules(query)] != []


async def test_rules_beyond_the_limit_of_an_enterprise_are_not_served(  # noqa: PLR0913, PLR0917 - each a fixture
    run: Run,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    deployment: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first rules are, and those of other enterprises; an existing schedule is paused."""
    rule = [a_rule(db, workflow=workflow) for _ in range(3)]
    other = a_rule(db, workflow=workflow, enterprise="globex")
    await run()
    await listing(schedules, *rule, other)
    a_rule(db, workflow=workflow)
    monkeypatch.setattr(follow, "MOST_RULES", 2)

    assert await run() == {"unchanged": 3, "paused": 1, "failed": 1}
    status, error = read_status(db, rule[2])
    assert (status, "more than 10000 rules" in str(error)) == ("FAILED", True)
    assert (
        await client.get_schedule_handle(contract.rule_schedule_id(deployment, rule[2])).describe()
    ).schedule.state.paused
    assert read_status(db, rule[1]) == read_status(db, other) == ("SCHEDULED", None)
