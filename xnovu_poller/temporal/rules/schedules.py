"""The schedules of a deployment's rules in Temporal. No other schedule is touched."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

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
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import ScheduleMissing, ScheduleRefused, TemporalUnavailable
from xnovu_poller.lifecycle import ReconcileOutcome
from xnovu_poller.rules.timing import Overlap
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import FireInput
from xnovu_poller.temporal.rules.plans import (
    HALTED,
    ListedRule,
    Plan,
    RuleScheduleState,
    build_schedule,
    read_digest,
    write_note,
)
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.translate import is_missing_object, translating

__all__ = ["ListedRule", "Plan", "RuleScheduleState", "RuleSchedules"]

PAGE = 250
"""Schedules in one answer: while the SDK decodes it, the event loop stands still."""

_TIMEOUT = timedelta(seconds=10)

Answer = TypeVar("Answer")


class RuleSchedules:
    """The schedules of a deployment's rules.

    The memo of each has the deployment and the rule. A schedule without them is not ours, even if its id looks so.

    Args:
        client: connected to the namespace.
        deployment: the owner of the rules.
        task_queue: where our executors poll.
        search: the search attributes of the runs.
    """

    def __init__(
        self, client: Client, *, deployment: UUID, task_queue: str, search: SearchAttributes
    ) -> None:
        self.task_queue = task_queue
        self._client = client
        self._deployment = deployment
        self._search = search

    async def list(self) -> dict[int, ListedRule]:
        """List our schedules by rule. Temporal's list lags behind by a moment.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: Temporal does not allow it.
        """
        async with translating(self._client.namespace):
            try:
                return await self._list(
                    f"ScheduleId STARTS_WITH '{contract.rule_schedule_prefix(self._deployment)}'"
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                return await self._list(None)  # an older server knows no query for schedules

    async def apply(self, plan: Plan, *, exists: bool, needed: bool = True) -> ReconcileOutcome:
        """Create the schedule of a rule, or rebuild it from the plan and nothing else; return the outcome.

        Guarantee: repeating it changes nothing.

        Args:
            plan: of the schedule.
            exists: whether it was listed, or may exist; the list may be out of date.
            needed: whether to create it if it is missing.

        Raises:
            ScheduleRefused: Temporal refuses this schedule, or its id belongs to a schedule that is not ours; nothing
                was changed.
            TemporalUnavailable: no answer; the plan may have been applied.
            TemporalRefused: Temporal refuses all calls.
        """
        async with translating(self._client.namespace):
            if exists and (done := await self._rebuild(plan)) is not None:
                return done
            if not needed:
                return ReconcileOutcome.UNCHANGED
            if await self._create(plan):
                return ReconcileOutcome.CREATED
            if (done := await self._rebuild(plan)) is not None:
                return done
            raise TemporalUnavailable("a schedule was created and deleted meanwhile")

    async def halt(self, rule_id: int) -> None:
        """Pause the schedule of an invalid rule as it is; a missing schedule is no error.

        Raises:
            TemporalUnavailable: no answer; the schedule may have been paused.
            TemporalRefused: Temporal does not allow it.
        """
        with suppress(ScheduleMissing):
            async with translating(self._client.namespace):
                await self._handle(rule_id).pause(note=write_note(HALTED), rpc_timeout=_TIMEOUT)

    async def delete(self, rule_id: int) -> None:
        """Delete the schedule of a rule; a missing schedule is no error.

        Raises:
            TemporalUnavailable: no answer; the schedule may have been deleted.
            TemporalRefused: Temporal does not allow it.
        """
        with suppress(ScheduleMissing):
            async with translating(self._client.namespace):
                await self._handle(rule_id).delete(rpc_timeout=_TIMEOUT)

    async def fire(self, rule_id: int, enterprise_id: str | None = None, key: str | None = None) -> str:
        """Fire a rule now, in addition to its schedule.

        Guarantee: with a key, any number of calls is one firing: while Temporal retains the run it starts no other, and
        afterwards the run's id is still the `dedup_key` of the notification.

        Returns:
            The id of the run, which no other firing has.

        Raises:
            TemporalUnavailable: no answer; the rule may have been fired.
            TemporalRefused: Temporal does not allow it.
        """
        name = uuid4() if key is None else uuid5(self._deployment, key)
        run_id = f"{self._id(rule_id)}-fire-{name}"
        async with translating(self._client.namespace):
            with suppress(WorkflowAlreadyStartedError):
                await self._start(run_id, FireInput(str(self._deployment), rule_id), enterprise_id)
        return run_id

    async def catch_up(self, plan: Plan, at: datetime) -> bool:
        """Fire a one-time rule whose time has just passed, under the run id that its schedule would use.

        Returns:
            False if the rule was already fired for this time.

        Raises:
            TemporalUnavailable: no answer; the rule may have been fired.
            TemporalRefused: Temporal does not allow it.
        """
        fire_input = FireInput(str(self._deployment), plan.rule_id, at.isoformat())
        async with translating(self._client.namespace):
            try:
                await self._start(self._run_id(plan.rule_id, at), fire_input, plan.enterprise_id)
            except WorkflowAlreadyStartedError:
                return False
        return True

    async def read_run_status(self, rule_id: int, at: datetime) -> WorkflowExecutionStatus | None:
        """Read the status of the run that was started for the time of a one-time rule.

        Returns:
            None if there is no such run, or if Temporal has forgotten it.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: Temporal does not allow it.
        """
        handle = self._client.get_workflow_handle(self._run_id(rule_id, at))
        try:
            async with translating(self._client.namespace):
                return (await handle.describe(rpc_timeout=_TIMEOUT)).status
        except ScheduleMissing:
            return None

    async def backfill(
        self, rule_id: int, start: datetime, end: datetime, overlap: Overlap = Overlap.ALLOW_ALL
    ) -> None:
        """Fire a rule for the times of a range, as if they came now, even if its schedule is paused.

        Both ends are included (the SDK's documentation is wrong about the first), and the range may be in the future.
        Temporal starts about ten runs a second, each under the id of its time. It skips a time whose run is open. A time
        that has fired is fired again, but makes no second notification: the run's id is the `dedup_key`.

        Args:
            rule_id: the rule.
            start: the first time.
            end: the last time; there is none if it is before the first.
            overlap: what a firing does while the previous firing runs; the rule's own would skip most of them.

        Raises:
            ScheduleMissing: the rule has no schedule.
            TemporalUnavailable: no answer; the backfill may have begun.
            TemporalRefused: Temporal does not allow it.
        """
        if await self.describe(rule_id) is None:
            raise ScheduleMissing
        async with translating(self._client.namespace):
            times = ScheduleBackfill(start, end, ScheduleOverlapPolicy[overlap.name])
            await self._handle(rule_id).backfill(times, rpc_timeout=_TIMEOUT)

    async def describe(self, rule_id: int) -> RuleScheduleState | None:
        """Describe the schedule of a rule; return None if it has none of ours.

        Temporal deletes a schedule without further firings some days after the last firing.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: Temporal does not allow it.
        """
        try:
            async with translating(self._client.namespace):
                found = await self._handle(rule_id).describe(rpc_timeout=_TIMEOUT)
        except ScheduleMissing:
            return None
        if not self._is_ours(await _read_memo(found), rule_id):
            return None
        recent = found.info.recent_actions
        return RuleScheduleState(
            paused=found.schedule.state.paused,
            next_at=tuple(found.info.next_action_times),
            last_at=recent[-1].scheduled_at if recent else None,
            fired=found.info.num_actions,
            missed=found.info.num_actions_missed_catchup_window,
            skipped=found.info.num_actions_skipped_overlap,
        )

    async def _list(self, query: str | None) -> dict[int, ListedRule]:
        schedules = await self._client.list_schedules(query, page_size=PAGE, rpc_timeout=_TIMEOUT)
        found = {}
        async for listed in schedules:
            rule_id = await self._find_rule(listed)
            if rule_id is not None and listed.schedule is not None:
                state = listed.schedule.state
                found[rule_id] = ListedRule(read_digest(state.note), state.paused)
        return found

    async def _find_rule(self, listed: ScheduleListDescription) -> int | None:
        """Return the rule of a schedule; None if the schedule is not ours."""
        if not listed.id.startswith(contract.rule_schedule_prefix(self._deployment)):
            return None
        memo = await _read_memo(listed)
        rule_id = memo.get(contract.MEMO_RULE)
        is_ours = isinstance(rule_id, int) and self._is_ours(memo, rule_id) and listed.id == self._id(rule_id)
        return rule_id if is_ours else None

    async def _create(self, plan: Plan) -> bool:
        """Create the schedule; return False if it exists."""
        memo = {contract.MEMO_DEPLOYMENT: str(self._deployment), contract.MEMO_RULE: plan.rule_id}
        try:
            await self._call(
                lambda: self._client.create_schedule(
                    self._id(plan.rule_id), self._build(plan), memo=memo, rpc_timeout=_TIMEOUT
                )
            )
        except ScheduleAlreadyRunningError:
            return False
        return True

    async def _rebuild(self, plan: Plan) -> ReconcileOutcome | None:
        """Build our schedule anew from the plan, unless it is up to date; return None if it is missing."""
        done = ReconcileOutcome.UNCHANGED

        async def rebuild(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
            if not self._is_ours(await _read_memo(found.description), plan.rule_id):
                raise ScheduleRefused(f"the id {found.description.id} belongs to a schedule that is not ours")
            state = found.description.schedule.state
            if (read_digest(state.note), state.paused) == (plan.digest, plan.paused):
                return None  # an update may cost the firing of its very moment
            nonlocal done
            done = ReconcileOutcome.PAUSED if plan.paused and not state.paused else ReconcileOutcome.UPDATED
            return ScheduleUpdate(self._build(plan))

        try:
            await self._call(lambda: self._handle(plan.rule_id).update(rebuild, rpc_timeout=_TIMEOUT))
        except RPCError as error:
            if is_missing_object(error):
                return None
            raise
        return done

    async def _start(self, run_id: str, fire_input: FireInput, enterprise_id: str | None) -> None:
        await self._call(
            lambda: self._client.start_workflow(
                contract.RULE_WORKFLOW,
                fire_input,
                id=run_id,
                task_queue=self.task_queue,
                execution_timeout=contract.FIRE_TIMEOUT,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=self._attributes(enterprise_id),
                rpc_timeout=_TIMEOUT,
            )
        )

    async def _call(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a call, and make it again without search attributes if Temporal refused it because of them."""
        try:
            return await call()
        except RPCError as error:
            if not self._search.give_up_if_refused(error):
                raise
        return await call()

    def _build(self, plan: Plan) -> Schedule:
        return build_schedule(plan, self._deployment, self._attributes(plan.enterprise_id))

    def _attributes(self, enterprise_id: str | None) -> TypedSearchAttributes:
        return self._search.build({contract.ENTERPRISE: enterprise_id})

    def _is_ours(self, memo: Mapping[str, Any], rule_id: int) -> bool:
        return (memo.get(contract.MEMO_DEPLOYMENT), memo.get(contract.MEMO_RULE)) == (
            str(self._deployment),
            rule_id,
        )

    def _id(self, rule_id: int) -> str:
        return contract.rule_schedule_id(self._deployment, rule_id)

    def _run_id(self, rule_id: int, at: datetime) -> str:
        return contract.scheduled_run_id(self._id(rule_id), at)

    def _handle(self, rule_id: int) -> ScheduleHandle:
        return self._client.get_schedule_handle(self._id(rule_id))


async def _read_memo(found: ScheduleDescription | ScheduleListDescription) -> Mapping[str, Any]:
    """Read the memo of a schedule; return an empty one if it cannot be read, because then it is not ours."""
    try:
        return await found.memo()
    except Exception:  # noqa: BLE001 - other people's memos may be encoded or encrypted in any way
        return {}
