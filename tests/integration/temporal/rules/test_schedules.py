"""The schedules of rules in a real Temporal: outdated lists, missing attributes, and requests by a person."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, ScheduleAsyncIterator
from temporalio.service import RPCError, RPCStatusCode

from tests.integration.temporal.conftest import Run
from tests.support.executing import Executing, schedules_of
from tests.support.firing import at_once, changed, listing, made
from tests.support.rows import Db, a_rule
from tests.support.scheduling import rule_row
from tests.support.waiting import eventually
from tests.support.wires import Wire
from xnovu_poller.errors import ScheduleMissing
from xnovu_poller.lifecycle import ReconcileOutcome
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.rules.reconcile import Reconciler
from xnovu_poller.temporal.rules.schedules import RuleSchedules


async def test_an_outdated_list_does_no_harm(
    db: Db, workflow: int, schedules: RuleSchedules, client: Client, run: Run, wire: Wire
) -> None:
    """A listed schedule may be gone, and an unlisted schedule may exist."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    outdated = [listed async for listed in await client.list_schedules()]
    wire.lagging = []
    assert await run() == {"unchanged": 1}
    wire.lagging = outdated
    await schedules.delete(rule)
    changed(db, rule, """trigger_config = '{"cron": "0 10 * * *"}'""")
    assert await run() == {"created": 1}
    assert await schedules.describe(rule) is not None
    await schedules.delete(rule)
    await schedules.delete(rule)
    wire.lagging = None
    await listing(schedules)


async def test_schedules_are_created_without_attributes_that_are_not_registered(  # noqa: PLR0913, PLR0917 - each a fixture
    client: Client,
    deployment: UUID,
    engine: Engine,
    db: Db,
    workflow: int,
    task_queue: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The namespace may have been created again without them; each of several calls at once is refused."""
    unknown = contract.ENTERPRISE.for_keyword("XnovuUnknown")
    monkeypatch.setattr(contract, "ENTERPRISE", unknown)
    monkeypatch.setattr(contract, "SEARCH_ATTRIBUTES", (unknown,))
    rule, *_ = [a_rule(db, workflow=workflow) for _ in range(5)]
    schedules = schedules_of(client, task_queue, deployment)

    assert (await Reconciler(engine, schedules).run(datetime.now(UTC)))[ReconcileOutcome.CREATED] == 5
    assert await schedules.describe(rule) is not None


async def test_a_firing_by_hand_has_its_own_run_id_and_is_not_the_one_time(
    running: Executing, run: Run, db: Db, workflow: int, schedules: RuleSchedules, client: Client
) -> None:
    """Each makes another notification, and the rule still fires at its time."""
    rule, _ = at_once(db, workflow, timedelta(days=-1))
    await run()
    ids = [await schedules.fire(rule, "acme"), await schedules.fire(rule)]

    results = [await client.get_workflow_handle(run_id).result() for run_id in ids]

    assert results == ["created", "created"]
    assert sorted(made(db, rule)) == sorted(ids)
    assert rule_row(db, rule)["done_for"] is None
    found = await client.get_workflow_handle(ids[0]).describe()
    assert found.typed_search_attributes[contract.ENTERPRISE] == "acme"


async def test_a_range_is_fired_again_without_a_second_notification(  # noqa: PLR0913, PLR0917 - each a fixture
    running: Executing,
    run: Run,
    db: Db,
    workflow: int,
    schedules: RuleSchedules,
    client: Client,
    deployment: UUID,
) -> None:
    """Both ends are included; a time that has fired runs again, but its notification exists."""
    # On a day on which hardly any test runs: at its times it fires by itself too.
    rule = a_rule(db, workflow=workflow, trigger_config={"cron": "0 9-12 5 1 *"})
    await run()
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    end = start + timedelta(hours=2)
    await schedules.backfill(rule, start, end)
    await eventually(lambda: len(made(db, rule)) == 3)
    name = contract.rule_schedule_id(deployment, rule)
    times = [start + timedelta(hours=hour) for hour in range(4)]
    for at in times[:3]:  # a run that is still open would be skipped
        await client.get_workflow_handle(contract.scheduled_run_id(name, at)).result()

    await schedules.backfill(rule, start, end + timedelta(hours=1))
    await eventually(lambda: len(made(db, rule)) == 4)
    await eventually(lambda: _fired(schedules, rule, 7))

    assert sorted(made(db, rule)) == [contract.scheduled_run_id(name, at) for at in times]


async def test_a_server_that_knows_no_query_lists_without_one(
    client: Client,
    schedules: RuleSchedules,
    db: Db,
    workflow: int,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older servers list all schedules; ours are found among them."""
    rule = a_rule(db, workflow=workflow)
    await run()
    await listing(schedules, rule)
    list_all = client.list_schedules

    async def older(query: str | None = None, **more: Any) -> ScheduleAsyncIterator:  # noqa: ANN401 - passed on
        if query is not None:
            raise RPCError("query is not supported", RPCStatusCode.INVALID_ARGUMENT, b"")
        return await list_all(query, **more)

    monkeypatch.setattr(client, "list_schedules", older)

    assert set(await schedules.list()) == {rule}


async def test_a_rule_without_a_schedule_cannot_be_described_or_backfilled(
    schedules: RuleSchedules, db: Db, workflow: int, run: Run
) -> None:
    """Deleting or halting it is no error."""
    assert await schedules.describe(1) is None
    with pytest.raises(ScheduleMissing):
        await schedules.backfill(1, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    await schedules.delete(1)
    await schedules.halt(1)

    rule = a_rule(db, workflow=workflow)
    await run()
    found = await schedules.describe(rule)
    assert found is not None
    assert (found.paused, found.last_at, found.fired, found.missed, found.skipped) == (False, None, 0, 0, 0)
    assert len(found.next_at) == 10


async def _fired(schedules: RuleSchedules, rule_id: int, times: int) -> bool:
    found = await schedules.describe(rule_id)
    return found is not None and found.fired >= times
