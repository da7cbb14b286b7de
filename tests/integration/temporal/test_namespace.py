"""The doctor's checks of Temporal: each fault is seeded, and found with the command that mends it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DeprecateNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client, ScheduleHandle

from tests.integration.temporal.conftest import Make, Run
from tests.support.ports import closed_port
from tests.support.rows import Db, a_notification, a_rule, back_dated, unguarded
from tests.support.waiting import eventually
from xnovu_poller.doctor import temporal
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import Status
from xnovu_poller.settings import TemporalSettings
from xnovu_poller.store import chores
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import client as connections
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.client import Address

SettingsFor = Callable[..., TemporalSettings]
Wrong = dict[str, list[Finding]]


@pytest.fixture
def settings_for(temporal_address: str, task_queue: str) -> SettingsFor:
    """Build the settings of the doctor, by default for the test's task queue."""

    def build(address: str = temporal_address, namespace: str = "default") -> TemporalSettings:
        return TemporalSettings(
            database_url=SecretStr("postgresql://nobody@localhost/none"),
            temporal_address=address,
            temporal_namespace=namespace,
            temporal_task_queue=task_queue,
        )

    return build


@pytest.fixture
def ours(db: Db, deployment: UUID) -> UUID:
    """The database belongs to the deployment of the test."""
    db.execute("UPDATE notify.deployment SET id = %s", [deployment])
    return deployment


async def find(settings: TemporalSettings, engine: Engine | None = None) -> Wrong:
    """Return the problems, by code."""
    wrong: Wrong = {}
    for found in await temporal.examine(settings, engine):
        if not found.is_sound:
            wrong.setdefault(found.code, []).append(found)
    return wrong


async def until_found(settings: TemporalSettings, engine: Engine, code: str) -> Finding:
    """Return a finding once Temporal's lists show it."""

    async def found() -> list[Finding]:
        return (await find(settings, engine)).get(code, [])

    return (await eventually(found))[0]


async def test_a_temporal_that_is_away_is_one_finding(settings_for: SettingsFor) -> None:
    """A namespace that does not exist too; the sentence has the cause."""
    with closed_port() as port:
        away = await find(settings_for(f"127.0.0.1:{port}"))
    nowhere = await find(settings_for(namespace="nowhere"))

    assert away["temporal_away"][0].actual.startswith("Temporal: does not answer")
    assert "namespace nowhere does not exist" in nowhere["temporal_away"][0].actual
    assert set(away) == set(nowhere) == {"temporal_away"}


@pytest.mark.usefixtures("ours", "running")
async def test_a_sound_deployment_is_as_expected(
    settings_for: SettingsFor, engine: Engine, make: Make
) -> None:
    """An executor polls, and the schedule of the chores exists."""
    await make().ensure()

    async def is_sound() -> bool:
        # The executor polls soon after its start.
        return await find(settings_for(), engine) == {}

    await eventually(is_sound)
    assert len(await temporal.examine(settings_for(), engine)) == 9


@pytest.fixture
async def empty_namespace(client: Client, temporal_address: str) -> str:
    """Return the name of a new namespace that keeps closed runs for an hour."""
    name = f"short-{uuid4().hex[:8]}"
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=3600))
    )

    async def exists() -> bool:
        try:
            await connections.connect(Address(target=temporal_address, namespace=name))
        except TemporalError:  # Temporal's services learn of it one after the other
            return False
        return True

    await eventually(exists)
    return name


@pytest.mark.usefixtures("ours")
async def test_an_empty_namespace_has_many_faults(
    settings_for: SettingsFor, client: Client, empty_namespace: str, engine: Engine
) -> None:
    """Short retention, no search attributes, no pollers, no chores; then attributes of another type, and deprecation."""
    settings = settings_for(namespace=empty_namespace)

    async def see_all() -> Wrong:
        wrong = await find(settings, engine)
        return {} if "temporal_refuses" in wrong or "temporal_away" in wrong else wrong

    wrong = await eventually(see_all)
    assert set(wrong) == {"retention_short", "attributes_missing", "pollers_missing", "chores_stopped"}
    assert "XnovuEnterpriseId" in wrong["attributes_missing"][0].actual
    for code in ("retention_short", "attributes_missing"):
        assert wrong[code][0].mend == "run xnovu temporal setup"
    assert "nobody polls it for workflow and activity tasks" in wrong["pollers_missing"][0].actual
    assert wrong["chores_stopped"][0].actual.endswith("does not exist")

    await chores.record(engine, "rules", timedelta(0), {})
    assert "they use another namespace" in (await find(settings, engine))["chores_stopped"][0].actual

    await break_further(client, empty_namespace)

    async def is_found() -> bool:
        wrong = await find(settings, engine)
        sentences = [found.actual for found in wrong.get("attributes_missing", [])]
        expected = "search attributes: XnovuOutcome have another type, so runs start without any"
        return "namespace_state" in wrong and sentences == [expected]

    await eventually(is_found)


async def break_further(client: Client, name: str) -> None:
    """Give a namespace our search attributes, one of them with another type, and deprecate it."""
    kinds = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in contract.SEARCH_ATTRIBUTES}
    kinds[contract.OUTCOME.name] = IndexedValueType.INDEXED_VALUE_TYPE_TEXT
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=name, search_attributes=kinds)
    )
    await client.workflow_service.deprecate_namespace(DeprecateNamespaceRequest(namespace=name))


@pytest.mark.usefixtures("ours")
async def test_chores_that_a_person_has_paused_are_found(
    settings_for: SettingsFor, engine: Engine, make: Make, handle: ScheduleHandle
) -> None:
    """The command that goes on with them is in the finding."""
    await make().ensure()
    await handle.pause()

    (finding,) = (await find(settings_for(), engine))["chores_stopped"]

    assert finding.actual.startswith(f"schedule {handle.id}: is paused")
    assert "--unpause" in str(finding.mend)


@pytest.mark.usefixtures("ours")
async def test_another_deployment_on_our_task_queue_is_found(
    settings_for: SettingsFor, engine: Engine, client: Client, task_queue: str
) -> None:
    """Its short name is in the finding."""
    foreign = await client.start_workflow(
        contract.CHORES_WORKFLOW, id="0badcafe-chores-workflow-1", task_queue=task_queue
    )

    finding = await until_found(settings_for(), engine, "namespace_shared")

    assert finding.actual == f"task queue {task_queue}: other deployments use it too: 0badcafe"
    await foreign.terminate()


@pytest.mark.usefixtures("ours")
async def test_schedules_that_do_not_follow_the_rules_are_found(
    settings_for: SettingsFor, engine: Engine, db: Db, workflow: int, run: Run
) -> None:
    """A rule without a schedule, and a schedule without a rule; a rule of the last minute may still be followed."""
    followed = a_rule(db, workflow=workflow)
    await run()
    missing = a_rule(db, workflow=workflow)
    assert "schedules_apart" not in await find(settings_for(), engine)
    with unguarded(db):
        db.execute("UPDATE notify.ent_notification_rule SET updated_at = now() - interval '1 h'")
        db.execute("DELETE FROM notify.ent_notification_rule WHERE id = %s", [followed])

    async def both() -> bool:
        found = (await find(settings_for(), engine)).get("schedules_apart", [])
        return [finding.actual for finding in found] == [
            f"rules without the schedule that they ask for: {missing} | schedules without a rule: {followed}"
        ]

    await eventually(both)


@pytest.mark.usefixtures("ours")
async def test_rows_that_are_stuck_are_compared_with_their_runs(
    settings_for: SettingsFor, engine: Engine, db: Db, client: Client, task_queue: str
) -> None:
    """Their runs are open, have ended, or never were."""
    rows = [a_notification(db, status=Status.PROCESSING) for _ in range(3)]
    for row in rows:
        back_dated(db, row)
    for row in rows[:2]:
        handle = await client.start_workflow(
            contract.WORKFLOW,
            id=f"test-notification-{row}-1",
            task_queue=task_queue,
            execution_timeout=timedelta(minutes=5),
        )
        if row == rows[1]:
            await handle.terminate()

    found = (await find(settings_for(), engine))["rows_stuck"]

    assert [finding.actual.partition(": ")[2] for finding in found] == [
        f"{row}: PROCESSING long after the lease, and the run of each {state}"
        for row, state in zip(rows, ("is open", "has ended", "is unknown to Temporal"), strict=True)
    ]
    await client.get_workflow_handle(f"test-notification-{rows[0]}-1").terminate()
