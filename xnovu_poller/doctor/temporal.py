"""Check Temporal: the namespace, who polls our task queue, and whether schedules and runs agree with the rows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from xnovu_poller.doctor import postgres
from xnovu_poller.doctor.findings import judge, refused
from xnovu_poller.errors import ScheduleMissing, XnovuError
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.settings import TemporalAddressSettings
from xnovu_poller.store import rules
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.checks.rows import read_stuck
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal import contract, namespace, search
from xnovu_poller.temporal.chores.schedule import ChoreSchedule
from xnovu_poller.temporal.client import Client
from xnovu_poller.temporal.namespace import RunState
from xnovu_poller.temporal.rules.decisions import Step, decide
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes

Check = Callable[[], Awaitable[list[Finding]]]

_ANSWERS = "Temporal answers, and the namespace exists"
_SETUP = "run xnovu temporal setup"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Queue:
    """Our task queue, in the client's namespace."""

    client: Client
    name: str


@dataclass(frozen=True, slots=True)
class _Deployment:
    """Our deployment, its database and its task queue."""

    id: UUID
    engine: Engine
    queue: _Queue


async def examine(settings: TemporalAddressSettings, engine: Engine | None) -> list[Finding]:
    """Return the result of each check; those that need the database are left out without one.

    Args:
        engine: of a database that is fit; None if it is not.
    """
    try:
        client = await temporal.connect(temporal.address_of(settings))
    except XnovuError as error:
        mend = "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the settings of TLS"
        return [refused("temporal_away", _ANSWERS, error, mend)]
    queue = _Queue(client, settings.temporal_task_queue)
    checks: list[Check] = [
        lambda: _examine_namespace(client),
        lambda: _examine_attributes(client),
        lambda: _examine_pollers(queue),
    ]
    if engine is not None:
        ours = _Deployment((await postgres.read_deployment(engine)).id, engine, queue)
        of_deployment = (_examine_sharing, _examine_chores, _examine_rules, _examine_runs)
        checks += [partial(check, ours) for check in of_deployment]
    findings = [Finding("temporal_away", _ANSWERS)]
    for check in checks:
        try:
            findings += await check()
        except XnovuError as error:
            findings.append(refused("temporal_refuses", "Temporal answers each check", error))
    return findings


async def _examine_namespace(client: Client) -> list[Finding]:
    name = client.namespace
    found = await namespace.read_namespace(client)
    state = (
        None if found.is_registered else (f"namespace {name}: is not registered", "use a namespace that is")
    )
    hours = f"{found.retention / timedelta(hours=1):g} hours"
    short = (
        f"namespace {name}: keeps closed runs for {hours}",
        _SETUP,
    )
    return [
        *judge("namespace_state", "the namespace is registered", state),
        *judge(
            "retention_short",
            "the namespace keeps closed runs for at least a day",
            short if found.retention < namespace.LEAST_RETENTION else None,
            hours,
        ),
    ]


async def _examine_attributes(client: Client) -> list[Finding]:
    unfit = await search.find_unfit(client)
    missing = [name for name, is_there in unfit.items() if not is_there]
    other = [name for name, is_there in unfit.items() if is_there]
    problem: tuple[str, str] | None = None
    if missing:
        problem = (
            f"search attributes: {', '.join(missing)} are missing, so runs cannot be found by them",
            _SETUP,
        )
    elif other:
        problem = (
            f"search attributes: {', '.join(other)} have another type, so runs start without any",
            "remove them in Temporal; a worker creates them again when it starts",
        )
    return judge("attributes_missing", "the search attributes exist, with the type Keyword", problem)


async def _examine_pollers(queue: _Queue) -> list[Finding]:
    pollers = await namespace.list_pollers(queue.client, queue.name)
    idle = [kind for kind, identities in pollers.items() if not identities]
    actual = f"task queue {queue.name}: nobody polls it for {' and '.join(idle)} tasks"
    mend = (
        "run xnovu worker start; if workers run, give them and this command the same TEMPORAL_NAMESPACE and"
        " TEMPORAL_TASK_QUEUE"
    )
    count = len(set().union(*pollers.values()))
    expected = "workers poll our task queue"
    return judge("pollers_missing", expected, (actual, mend) if idle else None, f"pollers: {count}")


async def _examine_sharing(ours: _Deployment) -> list[Finding]:
    found = await namespace.list_deployments(ours.queue.client, ours.queue.name)
    others = [name for name in found if name != contract.prefix(ours.id)]
    expected = "no other database uses our task queue in this namespace"
    if not others:
        return judge("namespace_shared", expected, None)
    actual = f"task queue {ours.queue.name}: other deployments use it too: {', '.join(others)}"
    mend = (
        "give each database a TEMPORAL_NAMESPACE or a TEMPORAL_TASK_QUEUE of its own; of a database that is gone, delete"
        " the schedules: docs/backup.md, Restore a copy"
    )
    return judge("namespace_shared", expected, (actual, mend))


async def _examine_chores(ours: _Deployment) -> list[Finding]:
    schedule = ChoreSchedule(
        ours.queue.client, deployment=ours.id, task_queue=ours.queue.name, every=timedelta(seconds=30)
    )
    problem: tuple[str, str] | None = None
    try:
        if (await schedule.read_state()).paused:
            problem = (
                f"schedule {schedule.id}: is paused, so schedules do not follow the rules and nothing is purged",
                f"run: temporal schedule toggle --unpause --schedule-id {schedule.id} --reason … -n {ours.queue.client.namespace}",
            )
    except ScheduleMissing:
        problem = await _explain_missing(ours, schedule.id)
    return judge("chores_stopped", "the schedule of the chores exists in this namespace, and runs", problem)


async def _explain_missing(ours: _Deployment, schedule_id: str) -> tuple[str, str]:
    """Return why the schedule of the chores is missing: before the first worker, or because workers are elsewhere."""
    if await postgres.have_chores_run(ours.engine):
        actual = (
            f"schedule {schedule_id}: is not in namespace {ours.queue.client.namespace}, but workers of this database did"
            " chores a moment ago, so they use another namespace, and each takes runs of the other for lost"
        )
        return actual, "give all workers and this command the same TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE"
    return f"schedule {schedule_id}: does not exist", "run xnovu worker start, which creates it"


async def _examine_rules(ours: _Deployment) -> list[Finding]:
    """Compare the rules with their schedules, as a reconciliation does; rules of the last minute may still be followed."""
    schedules = RuleSchedules(
        ours.queue.client,
        deployment=ours.id,
        task_queue=ours.queue.name,
        search=SearchAttributes(registered=True),
    )
    listed = await schedules.list()
    now = datetime.now(UTC)
    apart: list[int] = []
    seen: set[int] = set()
    for rule in await rules.read_all(ours.engine):
        seen.add(rule.id)
        # A rule that is FAILED is not served, for a reason that its row has.
        if rule.recent or rule.status is RuleStatus.FAILED:
            continue
        step = decide(rule, listed.get(rule.id), task_queue=ours.queue.name, now=now).step
        if step not in {Step.LEAVE, Step.CONFIRM}:
            apart.append(rule.id)
    orphans = sorted(listed.keys() - seen)
    subjects = {"rules without the schedule that they ask for": apart, "schedules without a rule": orphans}
    problems = [f"{subject}: {_shorten(ids)}" for subject, ids in subjects.items() if ids]
    mend = (
        "look at xnovu rules show; check that a worker runs with this TEMPORAL_TASK_QUEUE, and that the chore `rules`"
        " succeeds, which mends it"
    )
    return judge(
        "schedules_apart",
        "the schedules in Temporal follow the rules",
        (" | ".join(problems), mend) if problems else None,
        f"{len(listed)} schedules",
    )


_CURES = {
    RunState.OPEN: ("is open", "check that workers run, and restart a worker that hangs"),
    RunState.CLOSED: ("has ended", "check that a worker runs and reaches Temporal: its rescue releases them"),
    RunState.MISSING: (
        "is unknown to Temporal",
        "check that a worker runs with this TEMPORAL_NAMESPACE: its rescue releases them",
    ),
}


async def _examine_runs(ours: _Deployment) -> list[Finding]:
    """Compare rows that nobody has rescued with their runs."""
    expected = "no row is PROCESSING long after its lease"
    stuck = await read_stuck(ours.engine)
    states = [
        (await namespace.read_run_state(ours.queue.client, row.run_id), row.notification_id) for row in stuck
    ]
    findings: list[Finding] = []
    for state, (fact, mend) in _CURES.items():
        ids = [id_ for found, id_ in states if found is state]
        if ids:
            actual = (
                f"notifications: {_shorten(ids)}: PROCESSING long after the lease, and the run of each {fact}"
            )
            findings.append(Finding("rows_stuck", expected, actual, mend))
    return findings or [Finding("rows_stuck", expected)]


def _shorten(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(map(str, ids[:_SHOWN])) + more
