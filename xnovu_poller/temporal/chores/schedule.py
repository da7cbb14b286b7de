"""The schedule of a deployment's chores: one, however many workers run; only people pause it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

from temporalio.api.common.v1 import Payload
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
from temporalio.service import RPCError

from xnovu_poller.errors import ScheduleRefused
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import ChoresInput
from xnovu_poller.temporal.translate import is_missing_object, translating

_TIMEOUT = timedelta(seconds=10)
_SHORTEST_INTERVAL = timedelta(seconds=1)
_CATCHUP = timedelta(seconds=10)
"""The shortest that Temporal allows: the next run makes up for missed runs."""

_NOTE = "The chores of a deployment. While this is paused, schedules do not follow the rules and nothing is purged."


@dataclass(frozen=True, slots=True)
class ChoreScheduleState:
    """The schedule as Temporal describes it.

    Attributes:
        paused: a person has paused it.
        note: of the schedule; a person who pauses it may write why.
        next_at: the next run by its interval; None while it is paused.
        last_at: the time of the last run; None before the first.
    """

    paused: bool
    note: str
    next_at: datetime | None
    last_at: datetime | None


class ChoreSchedule:
    """The schedule of the chores.

    Args:
        client: connected to the namespace.
        deployment: the owner of the chores.
        task_queue: where our Temporal workers poll.
        every: the interval, rounded to whole seconds, at least one.
        workflows: the runs make Novu's workflows follow the rows too.

    Attributes:
        id: the schedule's id in Temporal.
    """

    def __init__(
        self,
        client: Client,
        *,
        deployment: UUID,
        task_queue: str,
        every: timedelta,
        workflows: bool = False,
    ) -> None:
        self.id = contract.chore_schedule_id(deployment)
        self._client = client
        self._deployment = deployment
        self._task_queue = task_queue
        self._input = ChoresInput(str(deployment), workflows, checks=True)
        self._every = max(_SHORTEST_INTERVAL, timedelta(seconds=round(every.total_seconds())))

    async def ensure(self) -> bool:
        """Create the schedule, or bring it up to date; a person's pause and note stay. Return whether it was missing.

        Guarantee: any number of replicas create one schedule. If it exists and is up to date, this is one cheap call.

        Raises:
            ScheduleRefused: its id belongs to a schedule that is not ours, or it was changed at this moment.
            TemporalUnavailable: no answer; it may have been created.
            TemporalRefused: Temporal does not allow it.
        """
        async with translating(self._client.namespace):
            try:
                await self._bring_up_to_date()
            except RPCError as error:
                if not is_missing_object(error):
                    raise
                return await self._create()
        return False

    async def request_run(self) -> None:
        """Request a run now, unless a person has paused the schedule; if a run is open, one follows it.

        Temporal names a run by the second of the request. Of two requests within one second it drops the second
        while the first run is open, so a request that must count is repeated a second later.

        Raises:
            TemporalUnavailable: no answer; the run may have been requested.
            TemporalRefused: Temporal does not allow it, or the schedule does not exist.
        """
        async with translating(self._client.namespace):
            if not (await self._handle.describe(rpc_timeout=_TIMEOUT)).schedule.state.paused:
                await self._handle.trigger(rpc_timeout=_TIMEOUT)

    async def read_state(self) -> ChoreScheduleState:
        """Read the schedule's state.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: Temporal does not allow it, or the schedule does not exist.
        """
        async with translating(self._client.namespace):
            found = await self._handle.describe(rpc_timeout=_TIMEOUT)
        state, coming, recent = found.schedule.state, found.info.next_action_times, found.info.recent_actions
        return ChoreScheduleState(
            paused=state.paused,
            note=state.note or "",
            next_at=coming[0] if coming and not state.paused else None,
            last_at=recent[-1].scheduled_at if recent else None,
        )

    async def _create(self) -> bool:
        """Create the schedule; return False if another replica has just created it."""
        try:
            await self._client.create_schedule(
                self.id,
                self._fresh(ScheduleState(note=_NOTE)),
                memo={contract.MEMO_DEPLOYMENT: str(self._deployment)},
                rpc_timeout=_TIMEOUT,
            )
        except ScheduleAlreadyRunningError:
            return False
        return True

    async def _bring_up_to_date(self) -> None:
        """Update the schedule if it differs from ours, unless it was changed since we read it.

        The SDK's own update does not compare, so it could undo a pause made in between. If the schedule was
        changed, the server refuses our update or drops it (1.32); the next `ensure` repeats it.
        """
        found = await self._handle.describe(rpc_timeout=_TIMEOUT)
        if (await found.memo()).get(contract.MEMO_DEPLOYMENT) != str(self._deployment):
            raise ScheduleRefused(f"the id {self.id} belongs to a schedule that is not ours")
        state = found.schedule.state
        fresh = self._fresh(ScheduleState(note=state.note, paused=state.paused))
        if _own_part(found.schedule) == _own_part(fresh):
            return
        request = UpdateScheduleRequest(
            namespace=self._client.namespace,
            schedule_id=self.id,
            schedule=await fresh._to_proto(self._client),  # noqa: SLF001 - the SDK has no other way to the token
            conflict_token=found.raw_description.conflict_token,
            identity=self._client.identity,
            request_id=str(uuid4()),
        )
        await self._client.workflow_service.update_schedule(request, retry=True, timeout=_TIMEOUT)

    def _fresh(self, state: ScheduleState) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(
                contract.CHORES_WORKFLOW,
                args=[self._input],
                id=self.id,
                task_queue=self._task_queue,
                execution_timeout=contract.CHORES_TIMEOUT,
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(self._every)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=_CATCHUP),
            state=state,
        )

    @property
    def _handle(self) -> ScheduleHandle:
        return self._client.get_schedule_handle(self.id)


def _read_input(argument: object) -> object:
    """Return the input of a run: ours, or as the server has it."""
    return (
        json.loads(argument.data) if isinstance(argument, Payload) else asdict(cast("ChoresInput", argument))
    )


def _own_part(schedule: Schedule) -> tuple[object, ...]:
    """Return what we decide about; the server normalises the rest."""
    action = schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return ()
    return (
        action.workflow,
        [_read_input(argument) for argument in action.args],
        action.id,
        action.task_queue,
        action.execution_timeout,
        [interval.every for interval in schedule.spec.intervals],
        list(schedule.spec.calendars),
        schedule.policy,
    )
