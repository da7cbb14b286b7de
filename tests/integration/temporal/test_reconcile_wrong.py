"""The reconciliation where something is wrong: a rule, a schedule, a tenant or Temporal itself; the others do not feel it."""

import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
)

from tests.integration.temporal.conftest import Run
from tests.support.firing import listing, told
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from xnovu_poller.errors import ScheduleRefused, TemporalUnavailable
from xnovu_poller.store import rules
from xnovu_poller.temporal import contract
from xnovu_poller.temporal import reconcile as reconciling
from xnovu_poller.temporal.decisions import Decision, decide
from xnovu_poller.temporal.schedules import Listed, Plan, Schedules


async def test_what_temporal_refuses_is_told_on_that_rule_alone(
    run: Run, db: Db, workflow: int, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zone that our tables know and Temporal's do not, say; the next run tries again."""
    good, bad = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)

    def strange(rule: rules.Rule, listed: Listed | None, **more: Any) -> Decision:  # noqa: ANN401 - passed on
        decision = decide(rule, listed, **more)
        if rule.id == bad and decision.plan is not None:
            elsewhere = replace(decision.plan.timing, zone="Mars/Olympus")
            return replace(decision, plan=replace(decision.plan, timing=elsewhere))
        return decision

    with monkeypatch.context() as patch:
        patch.setattr("xnovu_poller.temporal.reconcile.decide", strange)
        assert await run() == {"created": 1, "failed": 1}
    assert told(db, good) == ("SCHEDULED", None)
    assert told(db, bad) == (
        "FAILED",
        "Temporal: refuses the schedule (Invalid schedule spec: unknown time zone Mars/Olympus)",
    )
    await listing(schedules, good)
    assert await run() == {"created": 1, "unchanged": 1}


async def test_a_rule_over_which_we_stumble_stops_no_other(
    run: Run, db: Db, workflow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours is told on its row by its name alone; tenants write what nobody has thought of."""
    good, bad = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)

    def stumbling(rule: rules.Rule, listed: Listed | None, **more: Any) -> Decision:  # noqa: ANN401 - passed on
        if rule.id == bad:
            raise ValueError("value-marker")
        return decide(rule, listed, **more)

    monkeypatch.setattr("xnovu_poller.temporal.reconcile.decide", stumbling)

    assert await run() == {"created": 1, "failed": 1}
    assert (told(db, good), told(db, bad)) == (("SCHEDULED", None), ("FAILED", "a bug: ValueError"))


async def test_an_absent_temporal_ends_the_run_and_the_next_one_heals(
    run: Run, db: Db, workflow: int, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It concerns all rules, and is told on none."""
    rule = a_rule(db, workflow=workflow)

    async def away(*_: object, **__: object) -> None:
        raise TemporalUnavailable("UNAVAILABLE")

    with monkeypatch.context() as patch:
        patch.setattr(schedules, "apply", away)
        with pytest.raises(TemporalUnavailable):
            await run()
    assert told(db, rule) == (None, None)
    assert await run() == {"created": 1}


async def test_a_schedule_that_does_not_answer_keeps_no_other_back(
    run: Run, db: Db, workflow: int, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are made and told, and the run says in the end that it is not through."""
    mute, good = a_rule(db, workflow=workflow), a_rule(db, workflow=workflow)
    apply = schedules.apply

    async def unanswered(plan: Plan, *, exists: bool) -> None:
        if plan.rule_id == mute:
            raise TemporalUnavailable("DEADLINE_EXCEEDED")
        await apply(plan, exists=exists)

    with monkeypatch.context() as patch:
        patch.setattr(schedules, "apply", unanswered)
        with pytest.raises(TemporalUnavailable):
            await run()
    assert (told(db, mute), told(db, good)) == ((None, None), ("SCHEDULED", None))
    await listing(schedules, good)


async def test_a_temporal_that_is_away_is_not_asked_for_each_rule(
    run: Run, db: Db, workflow: int, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands would each wait for their time to be over."""
    asked = []
    for _ in range(3 * reconciling.MOST_UNANSWERED):
        a_rule(db, workflow=workflow)

    async def away(plan: Plan, **_: object) -> None:
        asked.append(plan.rule_id)
        raise TemporalUnavailable("UNAVAILABLE")

    monkeypatch.setattr(reconciling, "AT_ONCE", 1)
    monkeypatch.setattr(schedules, "apply", away)
    with pytest.raises(TemporalUnavailable):
        await run()
    assert len(asked) == reconciling.MOST_UNANSWERED


async def test_what_tenants_have_written_is_read_beside_the_loop(
    run: Run, db: Db, workflow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread of its own: the rest of the process goes on meanwhile."""
    a_rule(db, workflow=workflow)
    names = []

    def where(rule: rules.Rule, listed: Listed | None, **more: Any) -> Decision:  # noqa: ANN401 - passed on
        names.append(threading.current_thread() is threading.main_thread())
        return decide(rule, listed, **more)

    monkeypatch.setattr(reconciling, "decide", where)

    assert await run() == {"created": 1}
    assert names == [False]


async def test_a_memo_that_cannot_be_read_is_somebody_elses(
    run: Run, db: Db, workflow: int, client: Client, deployment: UUID, task_queue: str
) -> None:
    """Encrypted, say; it fails no comparison, and is not written over."""
    rule = a_rule(db, workflow=workflow)
    strange = {"xnovu_rule": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\xff")}
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue=task_queue)
    name = contract.rule_schedule(deployment, rule)
    await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()), memo=strange)
    await eventually(lambda: _stands(client, deployment))

    assert await run() == {"failed": 1}
    assert "somebody else's bears the id" in str(told(db, rule)[1])


async def test_a_schedule_that_temporal_will_not_delete_keeps_no_rule_back(
    run: Run, db: Db, workflow: int, schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orphans go first; the next run tries again."""
    gone = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, gone)
    db.execute("DELETE FROM notify.ent_notification_rule")
    a_rule(db, workflow=workflow)

    async def refused(_: int) -> None:
        raise ScheduleRefused("not now")

    with monkeypatch.context() as patch:
        patch.setattr(schedules, "delete", refused)
        assert await run() == {"created": 1}
    assert (await run())["deleted"] == 1


async def _stands(client: Client, deployment: UUID) -> bool:
    query = f"ScheduleId STARTS_WITH '{contract.prefix(deployment)}'"
    return [one async for one in await client.list_schedules(query)] != []


async def test_beyond_what_one_enterprise_may_have_its_rules_are_not_served(  # noqa: PLR0913, PLR0917 - each a fixture
    run: Run,
    db: Db,
    workflow: int,
    schedules: Schedules,
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
        await client.get_schedule_handle(contract.rule_schedule(deployment, rule[2])).describe()
    ).schedule.state.paused
    assert told(db, rule[1]) == told(db, other) == ("SCHEDULED", None)
