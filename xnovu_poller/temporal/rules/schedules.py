"""The schedules of a deployment's rules in Temporal: made, rebuilt whole, and deleted; no other is touched."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import (
    Client,
    Schedule,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionStatus,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller import log
from xnovu_poller.errors import ScheduleMissing, ScheduleRefused, TemporalUnavailable
from xnovu_poller.rules.timing import Overlap
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import FireInput
from xnovu_poller.temporal.rules.plans import HALTED, Described, Listed, Plan, note, schedule, sign
from xnovu_poller.temporal.translate import is_missing_object, translating

__all__ = ["Described", "Listed", "Plan", "RuleSchedules"]

_log = log.get(__name__)

PAGE = 250
"""Schedules of one answer: while it is read, nothing else in the process moves."""

_PATIENCE = timedelta(seconds=10)


class RuleSchedules:
    """The schedules of a deployment's rules.

    Each bears the deployment and the rule in its memo; one without is somebody else's, whatever its name.

    Args:
        client: for the namespace.
        deployment: whose rules.
        task_queue: where executors listen.
        searchable: whether the search attributes are registered.
    """

    def __init__(self, client: Client, *, deployment: UUID, task_queue: str, searchable: bool) -> None:
        self.task_queue = task_queue
        self._client = client
        self._deployment = deployment
        self._searchable = searchable

    async def listed(self) -> dict[int, Listed]:
        """Give the schedules of our rules, however many, by rule.

        Temporal's visibility store lags behind by a moment.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: it does not let us look.
        """
        async with translating(self._client.namespace):
            try:
                found = await self._list(
                    f"ScheduleId STARTS_WITH '{contract.rule_schedule_prefix(self._deployment)}'"
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                found = await self._list(None)  # an older server knows no query for schedules
        return found

    async def apply(self, plan: Plan, *, exists: bool) -> None:
        """Let a rule's schedule be as planned, whole: made, or rebuilt from nothing but the plan.

        Guarantee: any number of times is as good as once.

        Args:
            plan: how it is meant to be.
            exists: it was listed; what is not so any more is found out.

        Raises:
            ScheduleRefused: this one cannot be, or somebody else's bears its id; nothing was changed.
            TemporalUnavailable: no answer; it may have been applied.
            TemporalRefused: none can be.
        """
        async with translating(self._client.namespace):
            if exists and await self._rebuilt(plan):
                return
            if not await self._created(plan) and not await self._rebuilt(plan):
                raise TemporalUnavailable("a schedule comes and goes")

    async def halt(self, rule_id: int) -> None:
        """Pause the schedule of a rule that is invalid, as it stands.

        Raises:
            TemporalUnavailable: no answer; it may have been paused.
            TemporalRefused: it may not be.
        """
        with suppress(ScheduleMissing):
            async with translating(self._client.namespace):
                await self._handle(rule_id).pause(note=note(HALTED), rpc_timeout=_PATIENCE)

    async def delete(self, rule_id: int) -> None:
        """Delete the schedule of a rule, as listed; that it is gone is as good.

        Raises:
            TemporalUnavailable: no answer; it may have been deleted.
            TemporalRefused: it may not be.
        """
        with suppress(ScheduleMissing):
            async with translating(self._client.namespace):
                await self._handle(rule_id).delete(rpc_timeout=_PATIENCE)

    async def fire(self, rule_id: int, enterprise_id: str | None = None) -> str:
        """Fire a rule now, without its schedule, and not instead of it.

        Returns:
            The id of the workflow, which no other firing bears.

        Raises:
            TemporalUnavailable: no answer; it may have been fired.
            TemporalRefused: it cannot be.
        """
        workflow_id = f"{self._id(rule_id)}-fire-{uuid4()}"
        async with translating(self._client.namespace):
            await self._start(workflow_id, FireInput(str(self._deployment), rule_id), enterprise_id)
        return workflow_id

    async def catch_up(self, plan: Plan, at: datetime) -> bool:
        """Fire a one-time rule whose time has just passed, under the very id that its schedule would give.

        Returns:
            Whether it was not fired for this time before.

        Raises:
            TemporalUnavailable: no answer; it may have been fired.
            TemporalRefused: it cannot be.
        """
        fire = FireInput(str(self._deployment), plan.rule_id, at.isoformat())
        async with translating(self._client.namespace):
            try:
                await self._start(self._start_id(plan.rule_id, at), fire, plan.enterprise_id)
            except WorkflowAlreadyStartedError:
                return False
        return True

    async def begun(self, rule_id: int, at: datetime) -> WorkflowExecutionStatus | None:
        """Tell how the workflow stands that was started for the time of a one-time rule.

        Returns:
            None: there is none, or Temporal remembers it no more.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: it does not let us look.
        """
        handle = self._client.get_workflow_handle(self._start_id(rule_id, at))
        try:
            async with translating(self._client.namespace):
                return (await handle.describe(rpc_timeout=_PATIENCE)).status
        except ScheduleMissing:
            return None

    async def backfill(
        self, rule_id: int, start: datetime, end: datetime, overlap: Overlap = Overlap.ALLOW_ALL
    ) -> None:
        """Let a rule fire for the times of a range, as if they passed now; also where its schedule is paused.

        Both ends are inclusive, whatever the SDK says of the first, and the range may lie ahead. Temporal starts
        some ten a second, each under the id of its time: a time whose workflow still runs is left out, and one
        that has fired and is closed is fired again, which finds its notification made (its `dedup_key` is the id)
        and makes none.

        Args:
            rule_id: which.
            start: the first time.
            end: the last time; a range that ends before it begins holds none.
            overlap: what a firing does while the one before still runs; the rule's own would skip most.

        Raises:
            ScheduleMissing: the rule has none.
            TemporalUnavailable: no answer; it may have begun.
            TemporalRefused: it cannot be.
        """
        if await self.describe(rule_id) is None:
            raise ScheduleMissing
        async with translating(self._client.namespace):
            times = ScheduleBackfill(start, end, ScheduleOverlapPolicy[overlap.name])
            await self._handle(rule_id).backfill(times, rpc_timeout=_PATIENCE)

    async def describe(self, rule_id: int) -> Described | None:
        """Describe the schedule of a rule; None if it has none of ours.

        Temporal deletes one that has no more to do some days after its last firing.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: it does not let us look.
        """
        try:
            async with translating(self._client.namespace):
                found = await self._handle(rule_id).describe(rpc_timeout=_PATIENCE)
        except ScheduleMissing:
            return None
        ours = self._ours(await _memo(found), rule_id)
        recent = found.info.recent_actions
        described = Described(
            paused=found.schedule.state.paused,
            next_at=tuple(found.info.next_action_times),
            last_at=recent[-1].scheduled_at if recent else None,
            fired=found.info.num_actions,
            missed=found.info.num_actions_missed_catchup_window,
            skipped=found.info.num_actions_skipped_overlap,
        )
        return described if ours else None

    async def _list(self, query: str | None) -> dict[int, Listed]:
        schedules = await self._client.list_schedules(query, page_size=PAGE, rpc_timeout=_PATIENCE)
        found = {}
        async for one in schedules:
            rule_id = await self._rule_of(one)
            if rule_id is not None and one.schedule is not None:
                state = one.schedule.state
                found[rule_id] = Listed(sign(state.note), state.paused)
        return found

    async def _rule_of(self, listed: ScheduleListDescription) -> int | None:
        """Say whose schedule it is, where it is one of ours."""
        if not listed.id.startswith(contract.rule_schedule_prefix(self._deployment)):
            return None
        memo = await _memo(listed)
        rule_id = memo.get(contract.MEMO_RULE)
        ours = isinstance(rule_id, int) and self._ours(memo, rule_id) and listed.id == self._id(rule_id)
        return rule_id if ours else None

    async def _created(self, plan: Plan) -> bool:
        """Make the schedule; False if there is one."""
        memo = {contract.MEMO_DEPLOYMENT: str(self._deployment), contract.MEMO_RULE: plan.rule_id}
        searchable = self._searchable
        try:
            await self._client.create_schedule(
                self._id(plan.rule_id), self._fresh(plan), memo=memo, rpc_timeout=_PATIENCE
            )
        except ScheduleAlreadyRunningError:
            return False
        except RPCError as error:
            self._give_up_searching(error, tried=searchable)
            return await self._created(plan)
        return True

    async def _rebuilt(self, plan: Plan) -> bool:
        """Put a fresh schedule in the place of ours, unless it is so already; False if there is none."""

        async def fresh(there: ScheduleUpdateInput) -> ScheduleUpdate | None:
            if not self._ours(await _memo(there.description), plan.rule_id):
                raise ScheduleRefused(f"somebody else's bears the id {there.description.id}")
            state = there.description.schedule.state
            if (sign(state.note), state.paused) == (plan.digest, plan.paused):
                return None  # each update may cost the firing of its very moment
            return ScheduleUpdate(self._fresh(plan))

        searchable = self._searchable
        try:
            await self._handle(plan.rule_id).update(fresh, rpc_timeout=_PATIENCE)
        except RPCError as error:
            if is_missing_object(error):
                return False
            self._give_up_searching(error, tried=searchable)
            return await self._rebuilt(plan)
        return True

    async def _start(self, workflow_id: str, fire: FireInput, enterprise_id: str | None) -> None:
        searchable = self._searchable
        try:
            await self._client.start_workflow(
                contract.RULE_WORKFLOW,
                fire,
                id=workflow_id,
                task_queue=self.task_queue,
                execution_timeout=contract.FIRE_TIMEOUT,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=self._attributes(enterprise_id),
                rpc_timeout=_PATIENCE,
            )
        except RPCError as error:
            self._give_up_searching(error, tried=searchable)
            await self._start(workflow_id, fire, enterprise_id)

    def _give_up_searching(self, error: RPCError, *, tried: bool) -> None:
        """Do without the search attributes if they are the reason; the namespace may have been made anew, without them.

        Args:
            error: what a call ended with.
            tried: it bore them; others that did may end so, too, after they were given up.

        Raises:
            RPCError: they are not.
        """
        if not tried or contract.ENTERPRISE.name not in error.message:
            raise error
        if self._searchable:
            self._searchable = False
            _log.warning("search attributes given up", until="the next start of this worker")

    def _fresh(self, plan: Plan) -> Schedule:
        return schedule(plan, self._deployment, self._attributes(plan.enterprise_id))

    def _attributes(self, enterprise_id: str | None) -> TypedSearchAttributes:
        if not self._searchable or enterprise_id is None:
            return TypedSearchAttributes.empty
        return TypedSearchAttributes([SearchAttributePair(contract.ENTERPRISE, enterprise_id)])

    def _ours(self, memo: Mapping[str, Any], rule_id: int) -> bool:
        return (memo.get(contract.MEMO_DEPLOYMENT), memo.get(contract.MEMO_RULE)) == (
            str(self._deployment),
            rule_id,
        )

    def _id(self, rule_id: int) -> str:
        return contract.rule_schedule_id(self._deployment, rule_id)

    def _start_id(self, rule_id: int, at: datetime) -> str:
        return contract.scheduled_run_id(self._id(rule_id), at)

    def _handle(self, rule_id: int) -> ScheduleHandle:
        return self._client.get_schedule_handle(self._id(rule_id))


async def _memo(found: ScheduleDescription | ScheduleListDescription) -> Mapping[str, Any]:
    """Read a memo; one that cannot be read is not ours."""
    try:
        return await found.memo()
    except Exception:  # noqa: BLE001 - somebody else's may be spelt or encrypted in any way
        return {}
