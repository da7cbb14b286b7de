"""Render texts for a person who wants to see them, with the templates that a worker would choose now. Nothing is sent."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from xnovu_poller.delivery.words import to_read, to_source
from xnovu_poller.errors import TemplateError, TemplateMissing
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.store.engine import Engine, Tenant
from xnovu_poller.store.enterprises import Enterprise
from xnovu_poller.store.templates import TemplateKey, read_templates, read_versions
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer, TemplateSource
from xnovu_poller.templates.variables import Occasion

Sources = Mapping[TemplateKey, TemplateSource | TemplateError]
"""The template of each key with its layouts and partials, or why it cannot be used."""

Texts = Mapping[Channel, Rendered | TemplateError]
"""The text of each channel, or why it has none."""


async def read_sources(engine: Engine | Tenant, keys: Collection[TemplateKey]) -> Sources:
    """Return the templates of these keys that are published.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    versions = await read_versions(engine, keys)
    ids = {id_ for parts in versions.values() for id_ in to_read(parts)}
    known = await read_templates(engine, ids) if ids else {}
    return {key: to_source(key.key, parts, known) for key, parts in versions.items() if parts}


async def preview(
    engine: Engine,
    renderer: Renderer,
    templates: Mapping[Channel, TemplateKey],
    variables: Mapping[str, Any],
    language: Language,
) -> Texts:
    """Render the template of each channel.

    Args:
        variables: all that a template may name, as `list_variables` returns it.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    sources = await read_sources(engine, templates.values())
    texts: dict[Channel, Rendered | TemplateError] = {}
    for channel, key in templates.items():
        source = sources.get(key) or TemplateMissing(key.key or "(none)", channel)
        try:
            if isinstance(source, TemplateError):
                raise source
            texts[channel] = renderer.render(source, variables, **language._asdict())
        except TemplateError as error:
            texts[channel] = error
    return texts


def imagine(enterprise: Enterprise, key: str) -> Occasion:
    """Return a notification that is due now, for a template that is shown without a notification."""
    return Occasion(enterprise.id, enterprise.name, enterprise.brand, key, key, 0, key, datetime.now(UTC))
