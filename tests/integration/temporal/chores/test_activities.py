"""The chores: the purge, its limits and pauses, and when a chore is skipped or fails."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tests.support.delivering import ENGLISH
from tests.support.executing import KEEP
from tests.support.logs import logged_in_full
from tests.support.ports import closed_port
from tests.support.rows import Db, a_rule
from tests.support.syncing import Person, a_dynamic
from tests.support.wires import Wire
from xnovu_poller.metrics import REGISTRY
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.store import chores as recorded_chores
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications.purge import SLICE
from xnovu_poller.temporal.chores.activities import ChoreActivities
from xnovu_poller.temporal.contract import ChoresInput
from xnovu_poller.temporal.rules.schedules import RuleSchedules

MANY = 2 * SLICE + 1

Purge = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def purge(engine: Engine, schedules: RuleSchedules, deployment: UUID) -> Purge:
    """Run the chore once."""

    async def run_once(
        keep: timedelta | None = KEEP, budget: timedelta = timedelta(minutes=1)
    ) -> dict[str, Any]:
        chores = ChoreActivities(
            engine, schedules, str(deployment), keep=keep, language=ENGLISH, budget=budget
        )
        return await ActivityEnvironment().run(chores.retention, ChoresInput(str(deployment)))

    return run_once


@pytest.fixture
def old(db: Db) -> None:
    """Insert more old rows than two slices hold."""
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, notification_status,"
            " created_at, processed_at)"
            " SELECT 'acme', 'n', '{s}', 'SENT', now() - interval '91 d', now() - interval '91 d'"
            " FROM generate_series(1, %s)",
            [MANY],
        )


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    with logged_in_full() as written:
        yield written


def left(db: Db) -> int:
    """Count the notifications."""
    return db.execute("SELECT FROM notify.ent_notification").rowcount


def counted(metric: str, **labels: str) -> float:
    """Read a counter."""
    return REGISTRY.get_sample_value(metric, labels) or 0


@pytest.mark.usefixtures("old")
async def test_it_purges_slice_by_slice_until_nothing_old_is_left(
    purge: Purge, db: Db, engine: Engine
) -> None:
    """It counts and records them; the next purge starts from the beginning."""
    before = (
        counted("xnovu_notifications_purged_total"),
        counted("xnovu_chores_total", name="retention", end="done"),
    )

    assert await purge() == {"deleted": MANY, "after": 0}

    assert left(db) == 0
    assert counted("xnovu_notifications_purged_total") - before[0] == MANY
    assert counted("xnovu_chores_total", name="retention", end="done") - before[1] == 1
    (recorded,) = await recorded_chores.read_all(engine)
    assert (recorded.name, recorded.report) == ("retention", {"deleted": MANY, "after": 0})


async def test_it_purges_old_lines_of_the_audit_too(purge: Purge, db: Db) -> None:
    """Not only notifications."""
    db.execute("INSERT INTO notify.ent_audit (action, actor) VALUES ('retract', 'ann'), ('revive', 'ann')")
    db.execute("UPDATE notify.ent_audit SET started_at = now() - interval '10 years' WHERE id = 1")

    await purge()

    assert db.execute("SELECT id FROM notify.ent_audit").fetchall() == [{"id": 2}]


@pytest.mark.usefixtures("old")
async def test_it_stops_when_its_budget_is_spent_and_continues_from_there(purge: Purge, db: Db) -> None:
    """Its pauses count, because the loops need the rest of the time."""
    none = timedelta(0)
    first = await purge(budget=none)
    assert (first["deleted"], left(db)) == (SLICE, MANY - SLICE)

    second = await purge(budget=none)
    assert second["after"] > first["after"] > 0
    third = await purge(budget=none)
    assert third["deleted"] == 1
    assert left(db) == 0


@pytest.mark.usefixtures("old")
async def test_it_does_nothing_while_another_purge_runs(purge: Purge, db: Db, database: str) -> None:
    """Two would take twice the share of time. The chore fails, and does not pass over that in silence."""
    await purge(budget=timedelta(0))
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM notify.chore WHERE name = 'retention' FOR UPDATE")
        with pytest.raises(ApplicationError, match="another session holds a lock"):
            await purge()
    assert left(db) == MANY - SLICE


@pytest.mark.usefixtures("old")
async def test_nothing_is_purged_without_a_retention(purge: Purge, db: Db) -> None:
    """With a retention of 0 notifications are kept for ever."""
    assert await purge(keep=None) == {"deleted": 0, "after": 0}
    assert left(db) == MANY


async def test_recent_chores_are_skipped_but_the_rules_are_not(
    engine: Engine, schedules: RuleSchedules, deployment: UUID
) -> None:
    """Each change of a rule requests a run, and the other chores need not run that often."""
    chores = ChoreActivities(
        engine, schedules, str(deployment), keep=KEEP, language=ENGLISH, every=timedelta(hours=1)
    )
    doing = (chores.rules, chores.retention, chores.statistics, chores.doctor)

    async def run_once() -> list[bool]:
        chores_input = ChoresInput(str(deployment))
        return ["skipped" not in await ActivityEnvironment().run(chore, chores_input) for chore in doing]

    assert await run_once() == [True] * 4
    first = {chore.name: chore.finished_at for chore in await recorded_chores.read_all(engine)}
    assert await run_once() == [True, False, False, False]
    again = {
        chore.name
        for chore in await recorded_chores.read_all(engine)
        if chore.finished_at != first[chore.name]
    }
    assert again == {"rules"}


async def test_novus_workflows_follow_each_change_of_the_rows(  # noqa: PLR0913, PLR0917 - each a fixture
    engine: Engine,
    db: Db,
    schedules: RuleSchedules,
    deployment: UUID,
    novu: NovuWorkflows,
    person: Person,
    lines: io.StringIO,
) -> None:
    """Without a change Novu is not called; a workflow that needs a person is in the report and in the log."""
    chores = ChoreActivities(engine, schedules, str(deployment), keep=KEEP, language=ENGLISH, novu=novu)

    async def run_once() -> dict[str, Any]:
        report = await ActivityEnvironment().run(chores.workflows, ChoresInput(str(deployment)))
        return {name: value for name, value in report.items() if name != "digest"}

    a_dynamic(db, "welcome")
    assert await run_once() == {"create": 1, "problems": []}
    assert person.keys() == ["welcome"]
    assert set(await run_once()) == {"skipped"}

    a_dynamic(db, "no identifier")
    report = await run_once()
    assert (report["same"], report["invalid"], len(report["problems"])) == (1, 1, 1)
    assert "workflow needs a person" in lines.getvalue()

    off = ChoreActivities(engine, schedules, str(deployment), keep=KEEP, language=ENGLISH)
    a_dynamic(db, "other")
    with pytest.raises(ApplicationError, match="WORKFLOW_SYNC is off"):
        await ActivityEnvironment().run(off.workflows, ChoresInput(str(deployment)))


async def test_a_chore_that_is_cancelled_is_recorded(
    engine: Engine, db: Db, workflow: int, schedules: RuleSchedules, deployment: UUID, wire: Wire
) -> None:
    """Temporal cancels it after its timeout; the row shows why it has no newer result."""
    standing = asyncio.Event()

    async def stand(_call: str, _schedule: str) -> None:
        standing.set()
        await asyncio.Event().wait()

    wire.meets = stand
    a_rule(db, workflow=workflow)
    chores, environment = (
        ChoreActivities(engine, schedules, str(deployment), keep=KEEP, language=ENGLISH),
        ActivityEnvironment(),
    )
    running = asyncio.ensure_future(environment.run(chores.rules, ChoresInput(str(deployment))))
    await standing.wait()

    environment.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    (recorded,) = await recorded_chores.read_all(engine)
    assert (recorded.name, recorded.error) == ("rules", "was cancelled before it ended, as after its timeout")


async def test_a_chore_without_a_database_is_tried_again(
    schedules: RuleSchedules, deployment: UUID, lines: io.StringIO
) -> None:
    """The failure cannot be recorded, but it is logged."""
    with closed_port() as port:
        unreachable = connect(f"postgresql+psycopg://nobody@127.0.0.1:{port}/none", part="test")
        chores = ChoreActivities(unreachable, schedules, str(deployment), keep=KEEP, language=ENGLISH)

        with pytest.raises(ApplicationError) as caught:
            await ActivityEnvironment().run(chores.retention, ChoresInput(str(deployment)))

    assert not caught.value.non_retryable
    assert "chore not recorded" in lines.getvalue()
    await unreachable.dispose()
