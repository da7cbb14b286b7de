"""The reconciliation: it compares the schedules in Temporal with the rules' rows and makes them follow the rows.

Changed rules come first: while all rules are compared, changes are looked for again and again, and every enterprise is
served in turn. What was decided about a rule is remembered, so a rule that stays as it is costs no reading.
"""

import asyncio
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import TypeVar

from xnovu_poller import log, metrics
from xnovu_poller.lifecycle import ReconcileOutcome, RuleStatus
from xnovu_poller.pacing import wait_for_event
from xnovu_poller.store import comparison, rules
from xnovu_poller.store.comparison import RuleVersion
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal.rules import follow
from xnovu_poller.temporal.rules.decisions import Decision
from xnovu_poller.temporal.rules.follow import Followed, Follower
from xnovu_poller.temporal.rules.plans import ListedRule
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

SLICE = 20
"""Rules that are read, decided and recorded together."""

TURN = timedelta(seconds=1)
"""After this time changes are looked for anew, so that no enterprise waits for the many changes of another."""

BEAT = timedelta(milliseconds=500)
"""How often changes are looked for while all rules are compared."""

BUDGET = timedelta(seconds=60)
"""Of one run; other chores wait meanwhile. The next run continues with the rules that are left."""

MOST_STUCK = 100
"""With more changes of an enterprise that cannot be recorded, as while it locks its rows, its others wait for the next run."""

Report = dict[ReconcileOutcome, int]
"""The number of rules by outcome; each outcome is a key."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a rule was when nothing had to be done about it; while it is the same, nothing has to be done.

    Attributes:
        until: at this time the decision may become another; None: at none.
    """

    version: RuleVersion
    listed: ListedRule | None
    until: datetime | None


@dataclass(slots=True)
class _Run:
    """One run.

    Attributes:
        deadline: when it stops comparing, by the monotonic clock.
        counts: rules by outcome.
        seen: the rules that were followed.
        at_work: the rules that are followed at this moment; nobody else may follow them, for an older row could win.
        stuck: the rules whose state could not be recorded; their changes wait for the next run.
        stuck_of: their number by enterprise.
        ended: all rules were compared.
        left: rules that were not compared for lack of time.
    """

    follower: Follower
    deadline: float
    counts: Counter[ReconcileOutcome] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)
    at_work: set[int] = field(default_factory=set)
    stuck: set[int] = field(default_factory=set)
    stuck_of: Counter[str] = field(default_factory=Counter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self.deadline


class Reconciler:
    """Makes the schedules of a deployment follow its rules, run after run.

    Args:
        engine: the pool.
        schedules: of the deployment.

    Attributes:
        left: rules that the last run did not compare for lack of time.
    """

    def __init__(self, engine: Engine, schedules: RuleSchedules) -> None:
        self._engine = engine
        self._schedules = schedules
        self._settled: dict[int, _Settled] = {}
        self._compared: dict[
            str, int
        ] = {}  # by enterprise, the last rule of a comparison that ran out of time
        self._served_last = ""
        self._known: set[int] = set()  # the rules of the last run
        self.left = 0

    async def run(self, now: datetime, *, all_rules: bool = True, budget: timedelta = BUDGET) -> Report:
        """Follow the changed rules, and compare all others; record the state of each rule in its row.

        If the process dies here, the next run completes the work: a change counts as followed once its row records it.

        Args:
            now: by Temporal's clock, at the start.
            all_rules: compare all of them with all schedules; otherwise the schedules are not listed, and only changes
                are followed, with the deletions since the last run.
            budget: how long the run may last.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; its changes until then stay.
            TemporalUnavailable: Temporal did not answer for all rules or for some; the others are done.
            TemporalRefused: Temporal refuses all calls.
        """
        # A run over thousands of rules takes minutes, so its clock must go on.
        clock_zero = now - timedelta(seconds=time.monotonic())
        allowances = await comparison.read_allowances(self._engine, follow.MOST_RULES)
        follower = Follower(self._schedules, allowances, clock_zero)
        run = _Run(follower, time.monotonic() + budget.total_seconds())
        await _gather([self._compare(run, all_rules=all_rules), self._keep_following(run)])
        self.left = run.left
        report = _report(run.counts)
        if run.follower.unanswered:
            raise run.follower.unanswered[-1]
        return report

    async def _keep_following(self, run: _Run) -> None:
        """Follow changes until all rules were compared, and those that came until then."""
        has_ended = False
        while not run.is_late:
            await self._follow_changes(run)
            if has_ended:
                return
            has_ended = await wait_for_event(run.ended, BEAT.total_seconds())

    async def _follow_changes(self, run: _Run) -> None:
        """Follow the changes that nobody has followed, every enterprise in turn, until none is left."""
        while not run.is_late:
            changes = await comparison.find_unfollowed(
                self._engine,
                without=run.stuck | run.at_work,
                excluded=[key for key, count in run.stuck_of.items() if count > MOST_STUCK],
                after=self._served_last,
            )
            if run.ended.is_set() and run.seen.issuperset(rule_id for rule_id, _ in changes):
                return  # rules that change all the time wait for the next run
            if not changes:
                return
            started = time.monotonic()
            for some in _slice(changes):
                self._served_last = some[-1][1]
                for rule in await self._follow(run, [rule_id for rule_id, _ in some], None):
                    run.stuck.add(rule.id)
                    run.stuck_of[rule.enterprise_id] += 1
                if time.monotonic() - started > TURN.total_seconds():
                    break

    async def _compare(self, run: _Run, *, all_rules: bool) -> None:
        """Compare all rules with all schedules, every enterprise in turn; delete schedules without a rule.

        The schedules are listed before the rules are read. So no schedule is deleted whose rule was inserted in between.
        """
        try:
            if not all_rules:
                await self._delete_gone(run)
            else:
                listed = await self._schedules.list()
                order = list(interleave(await self._find_work(run, listed)))
                run.left = len(order)
                for some in _slice(order):
                    if run.is_late:
                        return
                    await self._compare_some(run, some, listed)
                    run.left -= len(some)
        finally:
            run.ended.set()

    async def _delete_gone(self, run: _Run) -> None:
        """Delete the schedules of rules that the last run has seen and that are gone now."""
        present = {rule_id async for rule_id, *_ in comparison.read_versions(self._engine)}
        gone, self._known = sorted(self._known - present), present
        for some in _slice(gone):
            if run.is_late:
                return  # the next comparison of all rules finds them
            deleted = await _gather([run.follower.delete(rule_id) for rule_id in some])
            run.counts[ReconcileOutcome.DELETED] += sum(deleted)

    async def _find_work(self, run: _Run, listed: Mapping[int, ListedRule]) -> list[list[tuple[str, int]]]:
        """Return what must be looked at, by enterprise; schedules without a rule are those of the enterprise ''."""
        work: defaultdict[str, list[int]] = defaultdict(list)
        orphans, present = set(listed), set[int]()
        settled: dict[int, _Settled] = {}
        over = {key for key in run.follower.allowances if run.follower.is_over(key)}
        async for rule_id, enterprise, version in comparison.read_versions(self._engine):
            present.add(rule_id)
            found = self._settled.get(rule_id)
            is_served = run.follower.serves(enterprise, rule_id) and enterprise not in over
            if found and is_served and (found.version, found.listed) == (version, listed.get(rule_id)):
                settled[rule_id] = found
                if found.until is None or run.follower.now < found.until:
                    run.counts[ReconcileOutcome.UNCHANGED] += 1
                    continue
            if version.is_followed:
                work[enterprise].append(rule_id)
        self._settled, self._known = settled, present
        work[""] = sorted(orphans - present)
        return [
            [
                (enterprise, rule_id)
                # The newest rules of an enterprise whose rules fire too often are refused first.
                for rule_id in (
                    ids[::-1] if enterprise in over else _rotate(ids, self._compared.get(enterprise, 0))
                )
            ]
            for enterprise, ids in work.items()
        ]

    async def _compare_some(
        self, run: _Run, some: Sequence[tuple[str, int]], listed: Mapping[int, ListedRule]
    ) -> None:
        deleted = await _gather(
            [run.follower.delete(rule_id) for enterprise, rule_id in some if not enterprise]
        )
        run.counts[ReconcileOutcome.DELETED] += sum(deleted)
        ids = [rule_id for enterprise, rule_id in some if enterprise and rule_id not in run.seen]
        await self._follow(run, ids, listed)
        self._compared.update(some)

    async def _follow(
        self, run: _Run, ids: Sequence[int], listed: Mapping[int, ListedRule] | None
    ) -> list[Rule]:
        """Follow some rules; return those whose state could not be recorded.

        Without a list these are changes; with it they are rules that have not changed since they were followed.
        """
        mine = set(ids) - run.at_work
        run.at_work |= mine
        try:
            read = {rule.id: rule for rule in await rules.read_some(self._engine, mine)}
            batch = [
                read[rule_id]
                for rule_id in ids
                if rule_id in read and (listed is None or read[rule_id].is_followed)
            ]
            # Reading tenants' configs is CPU work, which would block the event loop, and in a thread still takes half of
            # it from the deliveries. So it pauses for as long as it took.
            started = time.monotonic()
            decisions = await asyncio.to_thread(run.follower.decide, batch, listed)
            await asyncio.sleep(min(time.monotonic() - started, TURN.total_seconds()))
            uncounted = await self._count(batch, decisions)
            work = [each for each in zip(batch, decisions, strict=True) if each[0].id not in uncounted]
            followed = await _gather([run.follower.follow(*each) for each in work])
            news = [each.news for each in followed if each is not None and each.news is not None]
            recorded = await rules.record_states(self._engine, news) if news else set()
        finally:
            run.at_work -= mine
        run.seen |= {rule.id for rule in batch}
        for (rule, decision), done in zip(work, followed, strict=True):
            if done is not None:
                self._remember(rule, decision, done, listed)
                # A rule that is tried again each time has failed only once.
                is_old = done.outcome is ReconcileOutcome.FAILED and rule.id not in recorded
                run.counts[ReconcileOutcome.UNCHANGED if is_old else done.outcome] += 1
        return [rule for rule in batch if not rule.is_followed and rule.id not in recorded]

    async def _count(self, batch: Sequence[Rule], decisions: Sequence[Decision]) -> set[int]:
        """Record for how many firings the changed rules count before they can fire; return those that somebody holds.

        A rule whose row cannot be written would fire beside the sum of its enterprise.
        """
        states = [
            replace(decision.state, status=rule.status, error=rule.error)
            for rule, decision in zip(batch, decisions, strict=True)
            if not rule.is_followed and (decision.state.hourly_firings or 0) > (rule.hourly_firings or 0)
        ]
        recorded = await rules.record_states(self._engine, states) if states else set()
        return {state.rule_id for state in states} - recorded

    def _remember(
        self, rule: Rule, decision: Decision, done: Followed, listed: Mapping[int, ListedRule] | None
    ) -> None:
        """Remember a rule about which nothing had to be done, unless it is tried again each time."""
        is_tried_again = decision.state.status is RuleStatus.FAILED or not decision.is_settled
        if listed is not None and not is_tried_again and done.news is None:
            version = RuleVersion(rule.updated_at, rule.is_followed, rule.status, rule.done_for)
            self._settled[rule.id] = _Settled(version, listed.get(rule.id), decision.valid_until)


def interleave(groups: Sequence[Sequence[Answer]]) -> Iterator[Answer]:
    """Return the first of each group, then the second of each, and so on."""
    nothing = object()
    turns = chain.from_iterable(zip_longest(*groups, fillvalue=nothing))
    return (each for each in turns if each is not nothing)  # type: ignore[misc] # the filling is left out


def _slice(items: Sequence[Answer]) -> Iterator[Sequence[Answer]]:
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))


def _rotate(ids: Sequence[int], after: int) -> list[int]:
    """Return ids, upwards, from the first after an id on, and then the others."""
    place = bisect_right(ids, after)
    return [*ids[place:], *ids[:place]]


async def _gather(calls: Sequence[Awaitable[Answer]]) -> list[Answer]:
    """Wait for all calls; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(_wait(call)) for call in calls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in running]


async def _wait(call: Awaitable[Answer]) -> Answer:
    return await call


def _report(counts: Counter[ReconcileOutcome]) -> Report:
    """Count the outcomes in the metrics, and log them if anything was done."""
    for kind in metrics.RECONCILED_KINDS:
        metrics.RULES_RECONCILED.labels(kind).inc(counts[kind])
    if any(counts[kind] for kind in metrics.RECONCILED_KINDS):
        _log.info("rules reconciled", **{kind.value: count for kind, count in counts.items() if count})
    return {outcome: counts[outcome] for outcome in ReconcileOutcome}
