"""The reconciliation where something is wrong: a rule, a schedule, a tenant or Temporal itself; the others do not feel it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn
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
from typing_extensions import override

from tests.integration.temporal.conftest import Run
from tests.support.counted import counted
from tests.support.firing import listing, told
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from tests.support.wires import Meeting, Wire, nothing
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules import reconcile as reconciling
from xnovu_poller.temporal.rules.decisions import Step, decide
from xnovu_poller.temporal.rules.schedules import RuleSchedules

AWAY = RPCStatusCode.UNAVAILABLE


def unanswered(*schedules: str, call: str = "create", status: RPCStatusCode = AWAY) -> Meeting:
    """Let calls on some schedules end so."""

    async def meet(made: str, schedule: str) -> None:
        if made == call and (not schedules or schedule in schedules):
            raise RPCError("not now", status, b"")

    return meet


async def test_what_temporal_refuses_is_told_on_that_rule_alone(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire, deployment: UUID
) -> None:
    """A zone that our tables know and Temporal's do not, say; the next run tries again."""
    good, bad = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    refused = contract.rule_schedule_id(deployment, bad)
    wire.meets = unanswered(refused, status=RPCStatusCode.INVALID_ARGUMENT)

    assert await run() == {"created": 1, "failed": 1}
    assert told(db, good) == ("SCHEDULED", None)
    assert told(db, bad) == ("FAILED", "Temporal: refuses the schedule (not now)")
    await listing(schedules, good)
    wire.meets = nothing
    assert await run() == {"created": 1, "unchanged": 1}


class Treacherous(dict[str, Any]):
    """What nobody has thought of."""

    @override
    def items(self) -> NoReturn:
        """Stumble."""
        raise LookupError("value-marker")


async def test_a_rule_over_which_we_stumble_stops_no_other(
    engine: Engine, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """A bug of ours is told on its row by its name alone."""
    for _ in range(2):
        a_rule(db, workflow=workflow)
    good, bad = await rules.page(engine, None, 2)

    batch = reconciling._Run(schedules, {}, datetime.now(UTC)).decided(
        [replace(bad, config=Treacherous(cron="0 9 * * *")), good]
    )

    assert [one.step for one in batch] == [Step.LEAVE, Step.CREATE]
    assert (batch[0].verdict.status, batch[0].verdict.error) == (RuleStatus.FAILED, "a bug: LookupError")


async def test_an_absent_temporal_ends_the_run_and_the_next_one_heals(
    run: Run, db: Db, workflow: int, wire: Wire
) -> None:
    """It concerns all rules, and is told on none."""
    rule = a_rule(db, workflow=workflow)
    wire.meets = unanswered()
    with pytest.raises(TemporalUnavailable):
        await run()
    assert told(db, rule) == (None, None)
    wire.meets = nothing
    assert await run() == {"created": 1}


async def test_a_schedule_that_does_not_answer_keeps_no_other_back(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire, deployment: UUID
) -> None:
    """The others are made and told, and the run says in the end that it is not through."""
    mute, good = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    wire.meets = unanswered(contract.rule_schedule_id(deployment, mute))
    with pytest.raises(TemporalUnavailable):
        await run()
    assert (told(db, mute), told(db, good)) == ((None, None), ("SCHEDULED", None))
    await listing(schedules, good)


async def test_a_temporal_that_is_away_is_not_asked_for_each_rule(
    run: Run, db: Db, workflow: int, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands would each wait for their time to be over."""
    asked = []
    for _ in range(3 * reconciling.MOST_UNANSWERED):
        a_rule(db, workflow=workflow)

    async def away(_: str, schedule: str) -> None:
        asked.append(schedule)
        raise RPCError("not now", AWAY, b"")

    wire.meets = away
    monkeypatch.setattr(reconciling, "AT_ONCE", 1)
    with pytest.raises(TemporalUnavailable):
        await run()
    assert len(asked) == reconciling.MOST_UNANSWERED


async def test_what_tenants_have_written_is_read_beside_the_loop(run: Run, db: Db, workflow: int) -> None:
    """In a thread of its own: the rest of the process goes on meanwhile."""
    a_rule(db, workflow=workflow)
    with counted(decide) as in_the_loop:
        assert await run() == {"created": 1}
    assert in_the_loop == [0]


async def test_a_memo_that_cannot_be_read_is_somebody_elses(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID, task_queue: str
) -> None:
    """Encrypted, say; it fails no comparison, and is not written over."""
    rule = a_rule(db, workflow=workflow)
    strange = {"xnovu_rule": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\xff")}
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue=task_queue)
    name = contract.rule_schedule_id(deployment, rule)
    await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()), memo=strange)
    await eventually(lambda: _stands(client, deployment))

    assert await run() == {"failed": 1}
    assert "somebody else's bears the id" in str(told(db, rule)[1])


async def test_a_schedule_that_temporal_will_not_delete_keeps_no_rule_back(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules, wire: Wire
) -> None:
    """Orphans go first; the next run tries again."""
    gone = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone)
    db.execute("DELETE FROM notify.ent_notification_rule")
    a_rule(db, workflow=workflow)

    wire.meets = unanswered(call="delete", status=RPCStatusCode.FAILED_PRECONDITION)
    assert await run() == {"created": 1}
    wire.meets = nothing
    assert (await run())["deleted"] == 1


async def _stands(client: Client, deployment: UUID) -> bool:
    query = f"ScheduleId STARTS_WITH '{contract.prefix(deployment)}'"
    return [one async for one in await client.list_schedules(query)] != []


async def test_beyond_what_one_enterprise_may_have_its_rules_are_not_served(  # noqa: PLR0913, PLR0917 - each a fixture
    run: Run,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    deployment: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first are, and every other enterprise's; a schedule of before stands still. Read page by page."""
    rule = [a_rule(db, workflow=workflow) for _ in range(3)]
    other = a_rule(db, workflow=workflow, enterprise="globex")
    await run()
    await listing(schedules, *rule, other)
    a_rule(db, workflow=workflow)
    monkeypatch.setattr(reconciling, "MOST_RULES", 2)
    monkeypatch.setattr(reconciling, "BATCH", 2)

    assert await run() == {"unchanged": 3, "paused": 1, "failed": 1}
    status, error = told(db, rule[2])
    assert (status, "more than 10000 rules" in str(error)) == ("FAILED", True)
    assert (
        await client.get_schedule_handle(contract.rule_schedule_id(deployment, rule[2])).describe()
    ).schedule.state.paused
    assert told(db, rule[1]) == told(db, other) == ("SCHEDULED", None)
