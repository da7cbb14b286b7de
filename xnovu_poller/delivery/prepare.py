"""What comes before the trigger: validate and render, each enterprise within its share of the time."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from xnovu_poller import log, metrics
from xnovu_poller.cache import WeightedCache
from xnovu_poller.delivery.render import render
from xnovu_poller.delivery.shares import Shares
from xnovu_poller.delivery.stages import nothing_sent, partition, prepare
from xnovu_poller.delivery.validate import check_payload, read_values, require_usable, without_trace
from xnovu_poller.delivery.words import Choice, WordFinder, Words, split
from xnovu_poller.errors import StoreUnavailable, Unfinished
from xnovu_poller.lifecycle import MAX_LAPSES, ErrorDetails, Language
from xnovu_poller.novu import Event
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.store.workflows import Workflow, read_workflows
from xnovu_poller.templates.render import Renderer, TemplateSource

_log = log.get(__name__)

Result = TypeVar("Result")

CACHED_WORKFLOW_BYTES = 32 << 20
"""The memory of all workflows that a process keeps, as far as tenants choose it."""

_WORKFLOW_BYTES = 3_000
"""What a workflow takes without the texts of its tenant."""


@dataclass(slots=True)
class Spent:
    """The seconds that the notifications of a group took together in two stages."""

    validate: float = 0.0
    render: float = 0.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of `Preparation.prepare`.

    Attributes:
        ready: the notifications that can be sent, each with its event for Novu.
        verdicts: the verdicts on the others.
    """

    ready: list[tuple[Held, Event]]
    verdicts: list[Verdict]


class Preparation:
    """Validates and renders notifications; each executor process has its own caches.

    Args:
        language: that of notifications whose enterprise has none.
    """

    def __init__(self, engine: Engine, language: Language) -> None:
        self._engine = engine
        self._words = WordFinder(engine, language)
        self._shares = Shares()
        self._schemas = Schemas()
        self._renderer = Renderer()
        self._workflows: WeightedCache[Workflow] = WeightedCache(CACHED_WORKFLOW_BYTES)

    def split(self, to_send: Sequence[Held]) -> list[list[Held]]:
        """Part notifications of enterprises without heavy work, which come first, from those of the others."""
        parts: tuple[list[Held], list[Held]] = ([], [])
        for held in to_send:
            parts[self._shares.is_indebted(held.enterprise_id)].append(held)
        return [part for part in parts if part]

    async def prepare(self, to_send: Sequence[Held]) -> Prepared:
        """Return what can be sent, and the verdicts on what cannot, or not yet."""
        spent = Spent()
        try:
            # The workflow's row may be what kills the process, so do not read it for poison.
            workflows = await self._read_workflows([held for held in to_send if held.lapses <= MAX_LAPSES])
            usable, unusable = partition(
                prepare(held, partial(_use, held, workflows.get(held.workflow_id or 0))) for held in to_send
            )
            choices = await self._words.choose(usable)
            taken = [
                each
                for part in split(usable, choices)
                for each in await self._prepare_part(part, choices, spent)
            ]
        except StoreUnavailable as error:
            return Prepared([], nothing_sent(to_send, error))
        ready, refused = partition(taken)
        if usable:
            self._observe(spent)
        log.each_step(_log, "notification prepared", (held.facts for held, _ in ready))
        return Prepared(ready, [*unusable, *refused])

    async def _prepare_part(
        self, part: Sequence[tuple[Held, Workflow]], choices: Mapping[int, Choice], spent: Spent
    ) -> list[tuple[Held, Event] | Verdict]:
        """Prepare notifications whose texts are in memory at the same time."""
        ids = [held.hold.notification_id for held, _ in part]
        async with self._words.read({id_: choices[id_] for id_ in ids if id_ in choices}) as words:
            await self._compile(part, words.values())
            return [
                await self._take(held, partial(self._to_event, held, workflow, words.get(id_), spent))
                for (held, workflow), id_ in zip(part, ids, strict=True)
            ]

    def _observe(self, spent: Spent) -> None:
        metrics.STAGE_SECONDS.labels("validate").observe(spent.validate)
        metrics.STAGE_SECONDS.labels("render").observe(spent.render)
        # Counted one by one, they would take longer than the lookups do.
        hits, misses = self._renderer.take_lookups()
        metrics.TEMPLATE_LOOKUPS.labels("hit").inc(hits)
        metrics.TEMPLATE_LOOKUPS.labels("miss").inc(misses)

    async def _compile(self, usable: Sequence[tuple[Held, Workflow]], words: Iterable[Words]) -> None:
        """Compile the schemas and templates of a group, each as a piece of its own, so that none waits for all."""
        used = {(held.enterprise_id, workflow.id): workflow for held, workflow in usable}
        pieces = [
            (enterprise, partial(self._schemas.compile, workflow.enterprise_id, workflow.schema))
            for (enterprise, _), workflow in used.items()
            if workflow.schema is not None
        ]
        sources = {
            (each.enterprise.id, id(source)): source
            for each in words
            for source in each.sources.values()
            if isinstance(source, TemplateSource)
        }
        pieces += [
            (enterprise, partial(self._renderer.compile, source))
            for (enterprise, _), source in sources.items()
        ]
        for enterprise, piece in pieces:
            # Its notifications are put off too, unless the share has grown by then.
            with suppress(Unfinished):
                await self._shares.do(enterprise, piece)

    def _to_event(
        self, held: Held, workflow: Workflow, words: Words | None, spent: Spent
    ) -> tuple[Held, Event]:
        """Validate and render a notification."""
        started_at = time.perf_counter()
        held = without_trace(held)
        values = read_values(held, used=workflow.schema is not None or words is not None)
        check_payload(self._schemas, held, workflow, values)
        validated_at = time.perf_counter()
        event = render(self._renderer, held, workflow, words, values)
        spent.validate += validated_at - started_at
        spent.render += time.perf_counter() - validated_at
        return held, event

    async def _take(self, held: Held, stage: Callable[[], Result]) -> Result | Verdict:
        """Take a notification through a stage, or put it off."""
        try:
            return await self._shares.do(held.enterprise_id, lambda: prepare(held, stage))
        except Unfinished as error:
            return Verdict(Ending.UNFINISHED, held, ErrorDetails.of(error), wait=error.pause)

    async def _read_workflows(self, group: Sequence[Held]) -> dict[int, Workflow]:
        """Return the workflows of a group; read a workflow again only if it has changed."""
        known: dict[int, Workflow] = {}
        missing: set[int] = set()
        for held in group:
            version = (held.workflow_id, held.workflow_version)
            kept = self._workflows.find(held.enterprise_id, version) or self._workflows.find(None, version)
            if kept is not None:
                known[kept.id] = kept
            elif held.workflow_id is not None:
                missing.add(held.workflow_id)
        if missing:
            found = await read_workflows(self._engine, missing)
            for workflow in found.values():
                self._keep(workflow)
            known |= found
        return known

    def _keep(self, workflow: Workflow) -> None:
        weight = _WORKFLOW_BYTES + len(workflow.schema or "") + sum(map(len, workflow.templates.values()))
        self._workflows.get(
            workflow.enterprise_id, (workflow.id, workflow.version), lambda: (workflow, weight)
        )


def _use(held: Held, workflow: Workflow | None) -> tuple[Held, Workflow]:
    return held, require_usable(held, workflow)
