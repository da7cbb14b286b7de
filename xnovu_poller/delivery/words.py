"""Find the words of a group: which template each channel of a notification needs, in which language, and its values."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from sys import getsizeof
from typing import Any, NamedTuple

from xnovu_poller.cache import WeightedCache
from xnovu_poller.delivery.bytes_in_flight import MEGABYTE, MOST_AT_ONCE, BytesInFlight
from xnovu_poller.delivery.overrides import EXPRESSION
from xnovu_poller.errors import TemplateError, TemplateFailed, TemplateMissing, TemplateUnsafe
from xnovu_poller.lifecycle import Channel, Language, WorkflowType
from xnovu_poller.settings.languages import choose_locale
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprises import Enterprise, read_enterprises
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.templates import (
    Template,
    TemplateKey,
    TemplateVersion,
    find_excess,
    read_templates,
    read_versions,
)
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import TemplateSource
from xnovu_poller.templates.variables import Occasion, list_variables, read_json

CACHED_BYTES = 64 << 20
"""The memory of all texts of templates that a process keeps, about."""

_TEMPLATE_BYTES = 1_000
"""What a template takes without its text."""

CACHED_ENTERPRISE_BYTES = 16 << 20
"""The memory of all enterprises that a process keeps, about."""

_ENTERPRISE_BYTES = 500
"""What an enterprise takes without its brand."""

MOST_TEXT_BYTES = 16 * MEGABYTE
"""The texts of templates that a process uses at the same time, in bytes; in Python they take up to four times as much."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which words a notification needs.

    Attributes:
        keys: what each channel needs that has a template.
        versions: the published template of each key, with its layouts and partials; empty if there is none.
    """

    enterprise: Enterprise
    language: Language
    keys: Mapping[Channel, TemplateKey]
    versions: dict[TemplateKey, Mapping[str, TemplateVersion]] = field(default_factory=dict)


class _Kind(NamedTuple):
    """What decides which words a notification needs; most of a group have this in common."""

    enterprise_id: str
    enterprise_version: datetime | None
    workflow_id: int
    channels: tuple[Channel, ...] | None
    locale: str | None
    time_zone: str | None

    @classmethod
    def of(cls, held: Held, workflow: Workflow) -> "_Kind":
        channels = None if held.channels is None else tuple(held.channels)
        return cls(
            held.enterprise_id,
            held.enterprise_version,
            workflow.id,
            channels,
            held.locale,
            held.time_zone,
        )


@dataclass(frozen=True, slots=True)
class Words:
    """What a notification is rendered with.

    Attributes:
        sources: the template of each channel that needs one, or why it has none.
    """

    enterprise: Enterprise
    language: Language
    sources: Mapping[Channel, TemplateSource | TemplateError] = field(default_factory=dict)


class WordFinder:
    """Finds the words of notifications; each executor process keeps its own texts.

    Which versions are published is read for each group, so no text is ever stale. The hold reads the version of each enterprise.

    Args:
        default: the language of notifications whose enterprise has none.
    """

    def __init__(self, engine: Engine, default: Language) -> None:
        self._engine = engine
        self._default = default
        self._kept: WeightedCache[Template] = WeightedCache(CACHED_BYTES)
        self._enterprises: WeightedCache[Enterprise] = WeightedCache(CACHED_ENTERPRISE_BYTES)
        self._bytes = BytesInFlight(MOST_TEXT_BYTES)

    async def choose(self, group: Sequence[tuple[Held, Workflow]]) -> dict[int, Choice]:
        """Return which words each notification needs that needs any, by its id.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        kinds: dict[_Kind, dict[Channel, str]] = {}
        wanting: dict[int, _Kind] = {}
        for held, workflow in group:
            kind = _Kind.of(held, workflow)
            if kind not in kinds:
                kinds[kind] = template_keys(held, workflow)
            if kinds[kind] or EXPRESSION in (held.overrides or b""):
                wanting[held.hold.notification_id] = kind
        if not wanting:
            return {}
        used = {kind: kinds[kind] for kind in wanting.values()}
        enterprises = await self._read_enterprises(used)
        choices = {
            kind: self._choose(kind, keys, enterprises[kind.enterprise_id]) for kind, keys in used.items()
        }
        wanted = {key for choice in choices.values() for key in choice.keys.values()}
        versions = await read_versions(self._engine, wanted) if wanted else {}
        for choice in choices.values():
            choice.versions.update({key: versions.get(key, {}) for key in choice.keys.values()})
        return {id_: choices[kind] for id_, kind in wanting.items()}

    async def _read_enterprises(self, kinds: Iterable[_Kind]) -> dict[str, Enterprise]:
        """Return the enterprises by id; read one again only if its row has changed."""
        known: dict[str, Enterprise] = {}
        missing: set[str] = set()
        for id_, version in {(kind.enterprise_id, kind.enterprise_version) for kind in kinds}:
            kept = self._enterprises.find(None, (id_, version)) if version else Enterprise(id_)
            if kept is not None:
                known[id_] = kept
            else:
                missing.add(id_)
        if missing:
            read = await read_enterprises(self._engine, missing)
            for enterprise in read.values():
                if enterprise.version is not None:
                    self._keep_enterprise(enterprise)
            known |= read
        return known

    def _keep_enterprise(self, enterprise: Enterprise) -> None:
        weight = _ENTERPRISE_BYTES + getsizeof(enterprise.brand)
        self._enterprises.get(None, (enterprise.id, enterprise.version), lambda: (enterprise, weight))

    def _choose(self, kind: "_Kind", keys: Mapping[Channel, str], enterprise: Enterprise) -> Choice:
        language = Language(
            choose_locale(self._default.locale, kind.locale, enterprise.locale),
            kind.time_zone or enterprise.time_zone or self._default.time_zone,
        )
        return Choice(
            enterprise,
            language,
            {
                channel: TemplateKey(enterprise.id, key, channel, language.locale)
                for channel, key in keys.items()
            },
        )

    @asynccontextmanager
    async def read(self, choices: Mapping[int, Choice]) -> AsyncIterator[dict[int, Words]]:
        """Wait until there is room for the texts of notifications, and yield their words by their ids.

        Args:
            choices: a part of what `split` returned.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        distinct = {id(each): each for each in choices.values()}
        versions = {key: parts for each in distinct.values() for key, parts in each.versions.items()}
        sizes = {id_: size for parts in versions.values() for id_, size in to_read(parts).items()}
        async with self._bytes.reserve(sum(sizes.values())):
            sources = await self._find_sources(versions)
            words = {
                known: Words(
                    each.enterprise,
                    each.language,
                    {channel: sources[key] for channel, key in each.keys.items()},
                )
                for known, each in distinct.items()
            }
            yield {id_: words[id(each)] for id_, each in choices.items()}

    async def _find_sources(
        self, versions: Mapping[TemplateKey, Mapping[str, TemplateVersion]]
    ) -> dict[TemplateKey, TemplateSource | TemplateError]:
        """Return the template of each key with its parts; read only the texts that are not kept."""
        known: dict[int, Template] = {}
        missing: set[int] = set()
        for key, parts in versions.items():
            needed = to_read(parts)
            for version in parts.values():
                kept = self._kept.find(key.enterprise_id, version) or self._kept.find(None, version)
                if kept is not None:
                    known[version.id] = kept
                elif version.id in needed:
                    missing.add(version.id)
        if missing:
            read = await read_templates(self._engine, missing)
            for template in read.values():
                self._keep(template)
            known |= read
        return {
            key: to_source(key.key, parts, known) if parts else _missing(key)
            for key, parts in versions.items()
        }

    def _keep(self, template: Template) -> None:
        texts = (template.subject or "", template.body, template.defaults)
        weight = _TEMPLATE_BYTES + sum(map(getsizeof, texts))
        self._kept.get(template.enterprise_id, template.version, lambda: (template, weight))


def template_keys(held: Held, workflow: Workflow) -> dict[Channel, str]:
    """Return the keys of the templates that a notification needs.

    A DYNAMIC workflow needs a template for each channel. Novu has the text of a STATIC workflow, so it needs a
    template only for the channels in `template_overrides`.
    """
    dynamic = workflow.type is WorkflowType.DYNAMIC
    return {
        channel: workflow.templates.get(channel, "")
        for channel in channels_of(held, workflow)
        if dynamic or channel in workflow.templates
    }


def channels_of(held: Held, workflow: Workflow) -> list[Channel]:
    """Return the channels that the producer chose, or else the workflow's, each once."""
    chosen = workflow.channels if held.channels is None else held.channels
    return list(dict.fromkeys(chosen))


def _missing(key: TemplateKey) -> TemplateMissing:
    return TemplateMissing(key.key or "(none)", key.channel)


def split(
    group: Sequence[tuple[Held, Workflow]], choices: Mapping[int, Choice]
) -> Iterator[list[tuple[Held, Workflow]]]:
    """Yield a group in parts, each with texts of at most `MOST_AT_ONCE` bytes, or else a single notification."""
    part: list[tuple[Held, Workflow]] = []
    sizes: dict[int, int] = {}
    weight = 0
    for held, workflow in group:
        choice = choices.get(held.hold.notification_id)
        versions = () if choice is None else choice.versions.values()
        own = {id_: size for parts in versions for id_, size in to_read(parts).items()}
        added = sum(size for id_, size in own.items() if id_ not in sizes)
        if part and weight + added > MOST_AT_ONCE:
            yield part
            part, sizes, added, weight = [], {}, sum(own.values()), 0
        part.append((held, workflow))
        sizes |= own
        weight += added
    yield part


def to_read(parts: Mapping[str, TemplateVersion]) -> dict[int, int]:
    """Return the sizes of the texts that a template needs, by id; none if it is refused without them."""
    return {} if _excess(parts) else {version.id: version.size for version in parts.values()}


def _excess(parts: Mapping[str, TemplateVersion]) -> str | None:
    return find_excess([version.size for version in parts.values()])


def to_source(
    key: str, parts: Mapping[str, TemplateVersion], known: Mapping[int, Template]
) -> TemplateSource | TemplateError:
    """Return a template with what it uses as the renderer takes it, or why it cannot be used."""
    texts = {name: known[version.id] for name, version in parts.items() if version.id in known}
    if (excess := _excess(parts)) is not None:
        return TemplateUnsafe(1, 1, excess)
    if key not in texts:
        return TemplateFailed("it was deleted meanwhile")
    template = texts[key]
    try:
        defaults = read_json(template.defaults)
    except (ValueError, RecursionError):
        return TemplateUnsafe(1, 1, "its defaults are nested too deep, or a number in them is too long")
    return TemplateSource(
        template.enterprise_id,
        template.channel,
        template.subject,
        template.body,
        defaults,
        template.format,
        # An untrusted part may be another author's.
        trusted=template.trusted and all(text.trusted for text in texts.values()),
        parts={name: text.body for name, text in texts.items()},
    )


def variables_of(
    held: Held, workflow: Workflow, enterprise: Enterprise, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that a template may name.

    Raises:
        TemplateFailed: the brand of the enterprise cannot be read.
    """
    occasion = Occasion(
        held.enterprise_id,
        enterprise.name,
        enterprise.brand,
        workflow.key,
        workflow.name,
        held.hold.notification_id,
        held.name,
        held.due_at,
        held.scheduled_for,
        held.fired_at,
    )
    return list_variables(occasion, values)
