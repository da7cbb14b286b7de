"""The rescue of rows whose lease has lapsed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from tests.integration.loops.conftest import Starts
from tests.support.rows import Db, a_notification, attempt_of, back_dated, row, soon, written
from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalError, TemporalUnavailable
from xnovu_poller.lifecycle import Attempt, Claim, RunState, Status
from xnovu_poller.loops.rescue import Rescuer
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.temporal.client import Client
from xnovu_poller.temporal.delivery.handoff import Handoff
from xnovu_poller.temporal.search import SearchAttributes

INTERVAL = timedelta(seconds=60)
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


class RunStates:
    """Answers questions about runs, always in the same way."""

    def __init__(self, answer: RunState | TemporalError) -> None:
        self.answer = answer
        self.questions: list[str] = []

    async def ask(self, run_id: str) -> RunState:
        """Answer, and record the question."""
        self.questions.append(run_id)
        if isinstance(self.answer, TemporalError):
            raise self.answer
        return self.answer


def a_rescue(
    engine: Engine, starts: Starts, terms: Terms, ask: Callable[[str], Awaitable[RunState]]
) -> Rescuer:
    """Build a rescuer."""
    return Rescuer(engine, ask=ask, start=starts.start, terms=terms, lease=LEASE, interval=INTERVAL)


def a_lapsed(db: Db, *, sending: bool = False) -> int:
    """Insert a row whose holder is gone, before or during its send."""
    made = a_notification(db, status=Status.PROCESSING)
    if sending:
        back_dated(db, made, HOUR, "send_until")
    back_dated(db, made)
    return made


async def test_an_open_run_keeps_its_row(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """The lease is extended, and the attempt stays the same."""
    made = a_lapsed(db)
    before = row(db, made)

    pause = await a_rescue(engine, starts, terms, RunStates(RunState.OPEN).ask).turn()

    after = row(db, made)
    assert (after["notification_status"], after["attempt"]) == ("PROCESSING", before["attempt"])
    assert timedelta(0) < after["lease_expires_at"] - after["updated_at"] <= LEASE
    assert pause == INTERVAL


async def test_a_row_without_a_send_is_released(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Its run is gone, or never existed."""
    made = a_lapsed(db)

    await a_rescue(engine, starts, terms, RunStates(RunState.GONE).ask).turn()

    after = row(db, made)
    assert (after["notification_status"], after["attempt"], after["failure_count"]) == ("PENDING", 1, 0)
    assert starts.groups == []


async def test_a_row_that_was_being_sent_is_reclaimed_with_its_own_run(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """It may have been accepted, so the same transaction id is sent again."""
    made = [a_lapsed(db, sending=True), a_lapsed(db, sending=True)]

    await a_rescue(engine, starts, terms, RunStates(RunState.GONE).ask).turn()

    assert starts.ids == made
    assert [len(group) for group in starts.groups] == [1, 1]
    for notification_id in made:
        after = row(db, notification_id)
        assert (after["notification_status"], after["attempt"]) == ("PROCESSING", 2)
        assert after["temporal_workflow_id"] == f"abc-notification-{notification_id}-2"
        assert after["send_until"] is not None


async def test_a_live_send_is_not_rescued(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Its sender may still record it, even if the run is gone."""
    made = a_lapsed(db)
    written(db, made, send_until=soon())
    before = row(db, made)
    runs = RunStates(RunState.GONE)

    await a_rescue(engine, starts, terms, runs.ask).turn()

    assert row(db, made) == before
    assert runs.questions == []


async def test_without_an_answer_nothing_changes(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """The run may still be working."""
    made = [a_lapsed(db), a_lapsed(db, sending=True)]
    before = [row(db, notification_id) for notification_id in made]
    silent = RunStates(TemporalUnavailable("UNAVAILABLE"))

    pause = await a_rescue(engine, starts, terms, silent.ask).turn()

    assert [row(db, notification_id) for notification_id in made] == before
    assert pause == INTERVAL


async def test_the_run_of_a_group_is_asked_about_once(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Its rows share a run."""
    for _ in range(3):
        written(db, a_lapsed(db), temporal_workflow_id="abc-notifications-1")
    runs = RunStates(RunState.GONE)

    await a_rescue(engine, starts, terms, runs.ask).turn()

    assert runs.questions == ["abc-notifications-1"]


async def test_after_a_stop_temporal_is_not_asked(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """So a Temporal that answers slowly does not delay the stop."""
    made = a_lapsed(db)
    before = row(db, made)
    runs = RunStates(RunState.GONE)
    rescue = a_rescue(engine, starts, terms, runs.ask)

    rescue.stop()
    await rescue.turn()

    assert (runs.questions, row(db, made)) == ([], before)


class RealTemporal:
    """A real Temporal, with the same questions as the worker's."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.handoff = Handoff(
            client,
            task_queue=task_queue,
            deployment=uuid4(),
            call=timedelta(seconds=1),
            search=SearchAttributes(registered=False),
        )

    async def ask(self, run_id: str) -> RunState:
        """Ask about a run."""
        return await self.handoff.ask(run_id)

    async def begin(self, notification_id: int, workflow_id: str) -> None:
        """Start a run that no worker executes."""
        await self.handoff.start([Claim(Attempt(notification_id, 1), "acme", None, workflow_id, 0)])


async def test_a_run_that_was_terminated_by_hand_is_noticed(
    engine: Engine, db: Db, starts: Starts, terms: Terms, temporal_address: str, task_queue: str
) -> None:
    """As long as the run is open the row waits for it; then the row is due again."""
    temporal = RealTemporal(await Client.connect(temporal_address), task_queue)
    made = a_lapsed(db)
    workflow_id = f"{task_queue}-{made}"
    written(db, made, temporal_workflow_id=workflow_id)
    await temporal.begin(made, workflow_id)
    rescue = a_rescue(engine, starts, terms, temporal.ask)

    await rescue.turn()
    assert row(db, made)["notification_status"] == "PROCESSING"

    await temporal.client.get_workflow_handle(workflow_id).terminate()
    back_dated(db, made)
    await rescue.turn()
    assert row(db, made)["notification_status"] == "PENDING"


async def test_a_missing_namespace_does_not_release_a_row(
    engine: Engine, db: Db, starts: Starts, terms: Terms, temporal_address: str, task_queue: str
) -> None:
    """Temporal answers "not found" in this case too."""
    temporal = RealTemporal(await Client.connect(temporal_address, namespace="elsewhere"), task_queue)
    made = a_lapsed(db)
    before = row(db, made)

    await a_rescue(engine, starts, terms, temporal.ask).turn()

    assert row(db, made) == before


async def test_a_sender_records_before_the_rescue_when_a_lock_is_gone(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """The row may have been locked until a moment ago, whether the rescue saw it or not: it lets the sender go first."""
    made = a_notification(db, status=Status.PROCESSING)
    [held] = (await hold(engine, [attempt_of(db, made)], deadline=LEASE)).held
    run_states = RunStates(RunState.GONE)
    rescuer = a_rescue(engine, starts, terms, run_states.ask)
    back_dated(db, made)
    written(db, made, send_until="2020-01-01T00:00Z")
    until = row(db, made)["send_until"]
    rescue = asyncio.create_task(rescuer.turn())
    await eventually(lambda: run_states.questions)
    sent = Verdict(Ending.SENT, replace(held, hold=replace(held.hold, until=until)))
    assert await by_hold.record_sent(engine, [sent]) == {made: Status.SENT}
    await rescue

    assert (row(db, made)["notification_status"], row(db, made)["attempt"], starts.groups) == ("SENT", 1, [])
