"""Apply a plan to Novu, and publish workflows from one of Novu's environments to another."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from xnovu_poller import log
from xnovu_poller.errors import WorkflowRefused, XnovuError
from xnovu_poller.lifecycle import WorkflowType
from xnovu_poller.novu.calls import Json
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.store import workflow_sync as store
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.workflow_sync import Kind, Record
from xnovu_poller.sync import plan
from xnovu_poller.sync.plan import Action, Item

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """The plan, and what a person must repair.

    Attributes:
        problems: sentences, each about one workflow.
        published: a line for each workflow that differed.
    """

    items: Sequence[Item]
    problems: list[str]
    published: Sequence[str] = ()


async def synchronise(
    engine: Engine,
    novu: NovuWorkflows,
    *,
    only: Collection[str] = (),
    dry_run: bool = False,
    force: bool = False,
) -> Report:
    """Make Novu's workflows follow the rows: create and change ours, and touch no other.

    Each workflow is recorded once it is written. If the process dies in between, the next run finds it in Novu, and
    continues.

    Args:
        only: the keys to look at; empty for all.
        dry_run: write nothing.
        force: overwrite what a person has changed in Novu.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
        NovuError: Novu does not answer, or accepts no call; workflows before may have been written.
    """
    kinds = await store.read_kinds(engine)
    records = await store.read_records(engine)
    if only:
        kinds = [kind for kind in kinds if kind.key in only]
        records = {key: made for key, made in records.items() if key in only}
    problems = [f"workflow {key}: no published row has this key" for key in _find_unknown(only, kinds)]
    problems += [f"workflow {key}: {plan.MIXED}" for key in plan.find_mixed(kinds)]
    keys = await novu.list_keys()
    dynamic = {kind.key: kind for kind in kinds if kind.type is WorkflowType.DYNAMIC}
    read = {key: await _read(novu, key) for key in dynamic if key in keys}
    current = {key: found for key, found in read.items() if found is not None}
    items = plan.decide(kinds, records, keys, current, force=force)
    for place, planned in enumerate(items):
        item, made = planned, current.get(planned.key) if planned.action is Action.SAME else None
        try:
            if planned.action in plan.WRITES and not dry_run:
                item, made = await _follow(
                    engine, novu, dynamic[planned.key], records.get(planned.key), force=force
                )
        except WorkflowRefused as error:
            problems.append(str(error))
            continue
        items[place] = item
        problems += [f"workflow {item.key}: {problem}" for problem in _find_problems(item, made)]
        if item.action is Action.SAME and made is not None and not dry_run:
            await _adopt(engine, item, made, records.get(item.key))
    return Report(items, problems)


def _find_unknown(only: Collection[str], kinds: Sequence[Kind]) -> list[str]:
    return sorted(set(only) - {kind.key for kind in kinds})


async def _read(novu: NovuWorkflows, key: str) -> Json | None:
    """Return a workflow as Novu has it; None if it does not: somebody may have deleted it after the list."""
    try:
        return await novu.read(key)
    except WorkflowRefused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    return None


async def _follow(
    engine: Engine, novu: NovuWorkflows, kind: Kind, record: Record | None, *, force: bool
) -> tuple[Item, Json | None]:
    """Decide again, because a person may have changed the workflow since the plan, and write it at once.

    Returns:
        The decision, and the workflow as Novu has it; None if it is not as it should be.
    """
    current = await _read(novu, kind.key)
    item = plan.decide_dynamic(kind, record, current, force=force)
    if item.action in plan.WRITES:
        return item, await _write(engine, novu, item, current)
    return item, current if item.action is Action.SAME else None


async def _write(engine: Engine, novu: NovuWorkflows, item: Item, current: Json | None) -> Json:
    """Write a workflow to Novu, and record it; return it as Novu has it."""
    document = dict(item.document or {})
    if current is None:
        steps = [{**step, "stepId": step["name"]} for step in document["steps"]]
        made = await novu.create(item.key, {**document, "workflowId": item.key, "steps": steps})
    else:
        made = await novu.update(item.key, plan.build_update(document, current))
    await store.record(engine, item.key, Record(made["workflowId"], document, plan.extract(made)))
    _log.info("workflow written to Novu", workflow=item.key, action=item.action)
    return made


def _find_problems(item: Item, current: Json | None) -> Iterator[str]:
    if item.action in plan.PROBLEMS and item.reason is not None:
        yield item.reason
    elif current is not None:
        yield from plan.find_issues(item.key, current)


async def _adopt(engine: Engine, item: Item, current: Json, record: Record | None) -> None:
    """Record what Novu has, if it is what we want and the record is behind: we may have died before the record."""
    found = Record(item.key, item.document or {}, plan.extract(current))
    if record is None or (record.identifier, record.written, record.answered) != (
        found.identifier, found.written, found.answered,
    ):  # fmt: skip
        await store.record(engine, item.key, found)


async def publish(
    novu: NovuWorkflows, source: str, target: str, keys: Collection[str], *, dry_run: bool
) -> tuple[list[str], list[str]]:
    """Publish workflows from one of Novu's environments to another, after a dry run.

    Args:
        source: id, identifier or name of the environment that has them.
        target: the same of the environment that gets them.
        keys: the workflows; no other resource is published.
        dry_run: end after Novu's dry run.

    Returns:
        A line for each workflow that differed, and the problems as sentences.

    Raises:
        XnovuError: an environment is unknown.
        NovuError: Novu does not answer, or refuses; workflows may have been published.
    """
    if not keys:
        # Novu would take no list for all workflows.
        return ["there is nothing to publish"], []
    environments = await novu.list_environments()
    source, target = (_find_environment(environments, name) for name in (source, target))
    changes = {
        _name_resource(found): _describe_changes(found) for found in await novu.compare(source, target)
    }
    lines = [f"{key}: {changes[key]}" for key in sorted(keys) if key in changes] or ["nothing differs"]
    if not await _can_publish_some(novu, source, target):
        return lines, [_ALL_OR_NONE]
    rehearsed = _list_entries(await novu.publish(source, target, keys, dry_run=True))
    missing = set(keys) - {entry.get("resourceId") for entry in rehearsed}
    if dry_run or missing:
        return lines, [
            f"workflow {key}: Novu does not have it where it should come from" for key in sorted(missing)
        ]
    failed = _list_entries(await novu.publish(source, target, keys, dry_run=False), "failed")
    return lines, [
        f"workflow {entry.get('resourceId')}: not published ({entry.get('error')})" for entry in failed
    ]


_NO_KEY = "xnovu-no-such-workflow"
_ALL_OR_NONE = (
    "publish: this Novu cannot publish single workflows, so it would copy and delete those of others too;"
    " publish in its dashboard"
)


async def _can_publish_some(novu: NovuWorkflows, source: str, target: str) -> bool:
    """Return whether Novu publishes only the workflows that a call names: it must find none for an unknown name."""
    try:
        return not _list_entries(await novu.publish(source, target, [_NO_KEY], dry_run=True))
    except WorkflowRefused:
        return True


def _find_environment(environments: Sequence[Json], name: str) -> str:
    for environment in environments:
        if name in environment.values():
            return str(environment["_id"])
    known = ", ".join(sorted(str(environment["name"]) for environment in environments))
    raise XnovuError(f"environment {name}: Novu has {known or 'none'}; name one of these")


def _name_resource(found: Json) -> str | None:
    """Return the identifier of a resource that differs; None if only the target has it."""
    source = found.get("sourceResource")
    return source.get("id") if isinstance(source, dict) else None


def _describe_changes(found: Json) -> str:
    summary = found.get("summary")
    counts = summary if isinstance(summary, dict) else {}
    return ", ".join(
        f"{counts[name]} {name}" for name in ("added", "modified", "deleted") if counts.get(name)
    )


def _list_entries(results: Sequence[Json], *names: str) -> list[Json]:
    """Return the entries of some lists of Novu's results, by default of all."""
    lists = [result.get(name) for result in results for name in names or ("successful", "failed", "skipped")]
    return [entry for entries in lists for entry in entries or () if isinstance(entry, dict)]
