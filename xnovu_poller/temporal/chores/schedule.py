"""The one schedule of a deployment's chores: made at the start, rung for when rules change, paused by people alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from temporalio.api.workflowservice.v1 import UpdateScheduleRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)

from xnovu_poller.errors import ScheduleRefused
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import Orchestrate
from xnovu_poller.temporal.translate import reach_schedules

_PATIENCE = timedelta(seconds=10)
_SHORTEST = timedelta(seconds=1)
_CATCHUP = timedelta(seconds=10)
"""Temporal's shortest: the chores that were missed are done by the next ones."""

_NOTE = "The chores of a deployment: while it is paused, rules are not followed and nothing is purged."


@dataclass(frozen=True, slots=True)
class Conducted:
    """How the orchestration stands in Temporal.

    Attributes:
        paused: a person has paused it.
        note: the schedule's; who pauses it may say why.
        next_at: when it is to run next, by its interval; None while it is paused.
        last_at: for when it ran last; None before the first time.
    """

    paused: bool
    note: str
    next_at: datetime | None
    last_at: datetime | None


class Orchestra:
    """The orchestration's schedule.

    Args:
        client: for the namespace.
        deployment: whose chores.
        task_queue: where executors listen.
        every: its interval; whole seconds, at least one.

    Attributes:
        schedule: its id.
    """

    def __init__(self, client: Client, *, deployment: UUID, task_queue: str, every: timedelta) -> None:
        self.schedule = contract.orchestration_schedule(deployment)
        self._client = client
        self._deployment = deployment
        self._task_queue = task_queue
        self._every = max(_SHORTEST, timedelta(seconds=round(every.total_seconds())))

    async def ensure(self) -> None:
        """Make the schedule, or bring it to what it is to be; a person's pause and note stay.

        Guarantee: any number of replicas make one.

        Raises:
            ScheduleRefused: somebody else's bears its id, or somebody changed it at this moment.
            TemporalUnavailable: no answer; it may have been made.
            HandoffRefused: it cannot be.
        """
        async with reach_schedules(self._client.namespace):
            try:
                await self._client.create_schedule(
                    self.schedule,
                    self._fresh(ScheduleState(note=_NOTE)),
                    memo={contract.MEMO_DEPLOYMENT: str(self._deployment)},
                    rpc_timeout=_PATIENCE,
                )
            except ScheduleAlreadyRunningError:
                await self._bring_up_to_date()

    async def ring(self) -> None:
        """Call for a run now, unless a person has paused it; while one runs, for one after it.

        Temporal names a run by the second of the call: of two calls within one second it drops the second while
        the first one's run is open, so whoever must be heard rings again a second later.

        Raises:
            TemporalUnavailable: no answer; it may have been called for.
            HandoffRefused: it cannot be, or there is no such schedule.
        """
        async with reach_schedules(self._client.namespace):
            if not (await self._handle.describe(rpc_timeout=_PATIENCE)).schedule.state.paused:
                await self._handle.trigger(rpc_timeout=_PATIENCE)

    async def state(self) -> Conducted:
        """Tell how it stands.

        Raises:
            TemporalUnavailable: no answer.
            HandoffRefused: it does not let us look, or there is no such schedule.
        """
        async with reach_schedules(self._client.namespace):
            found = await self._handle.describe(rpc_timeout=_PATIENCE)
        state, coming, recent = found.schedule.state, found.info.next_action_times, found.info.recent_actions
        return Conducted(
            paused=state.paused,
            note=state.note or "",
            next_at=coming[0] if coming and not state.paused else None,
            last_at=recent[-1].scheduled_at if recent else None,
        )

    async def _bring_up_to_date(self) -> None:
        """Write the schedule anew if it is not as it is to be, and nobody has touched it since it was read.

        The SDK's own update does not compare, and would take back a pause in between. A server that finds it
        touched refuses, or drops what we wrote (1.32): the next `ensure` writes it.
        """
        found = await self._handle.describe(rpc_timeout=_PATIENCE)
        if (await found.memo()).get(contract.MEMO_DEPLOYMENT) != str(self._deployment):
            raise ScheduleRefused(f"somebody else's bears the id {self.schedule}")
        state = found.schedule.state
        fresh = self._fresh(ScheduleState(note=state.note, paused=state.paused))
        if _essence(found.schedule) == _essence(fresh):
            return
        request = UpdateScheduleRequest(
            namespace=self._client.namespace,
            schedule_id=self.schedule,
            schedule=await fresh._to_proto(self._client),  # noqa: SLF001 - the SDK has no other way to the token
            conflict_token=found.raw_description.conflict_token,
            identity=self._client.identity,
            request_id=str(uuid4()),
        )
        await self._client.workflow_service.update_schedule(request, retry=True, timeout=_PATIENCE)

    def _fresh(self, state: ScheduleState) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(
                contract.ORCHESTRATION,
                args=[Orchestrate(str(self._deployment))],
                id=self.schedule,
                task_queue=self._task_queue,
                execution_timeout=contract.ORCHESTRATION_LIMIT,
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(self._every)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=_CATCHUP),
            state=state,
        )

    @property
    def _handle(self) -> ScheduleHandle:
        return self._client.get_schedule_handle(self.schedule)


def _essence(there: Schedule) -> tuple[object, ...]:
    """Give what we decide about; the server writes the rest in ways of its own."""
    action = there.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return ()
    return (
        action.workflow,
        action.id,
        action.task_queue,
        action.execution_timeout,
        [one.every for one in there.spec.intervals],
        list(there.spec.calendars),
        there.policy,
    )
