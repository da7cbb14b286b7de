"""Render a notification: its templates, filled with its payload, become the event for Novu."""

from collections.abc import Mapping, Sequence
from typing import Any

from xnovu_poller.errors import TemplateMissing
from xnovu_poller.lifecycle import Channel, Origin, WorkflowType
from xnovu_poller.novu import Event
from xnovu_poller.store import templates as store
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.templates import Template, TemplateKey
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import Renderer, TemplateSource


async def read_templates(
    engine: Engine, group: Sequence[tuple[Held, Workflow]]
) -> dict[TemplateKey, Template]:
    """Read all templates that a group needs, in one query.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    keys = {key for held, workflow in group for key in template_keys(held, workflow).values()}
    return await store.read_templates(engine, keys) if keys else {}


def template_keys(held: Held, workflow: Workflow) -> dict[Channel, TemplateKey]:
    """Return the keys of the templates that a notification needs.

    A DYNAMIC workflow needs a template for each channel. Novu has the text of a STATIC workflow, so it needs a
    template only for the channels in `template_overrides`.
    """
    dynamic = workflow.type is WorkflowType.DYNAMIC
    return {
        channel: (held.enterprise_id, workflow.templates.get(channel, ""), channel)
        for channel in _channels(held, workflow)
        if dynamic or channel in workflow.templates
    }


def render(
    renderer: Renderer, held: Held, workflow: Workflow, templates: Mapping[TemplateKey, Template]
) -> Event:
    """Render a notification into an event for Novu, addressed to each recipient once.

    The event's payload is the producer's, plus `enterprise_id`, `channels` and `rendered.<channel>.subject|body`.
    Rendered text travels in the payload because Novu honours channel overrides only for email and SMS.

    Raises:
        TemplateError: a template is missing, unsafe, or cannot be filled with this payload.
    """
    rendered = {
        channel.lower(): _fill(renderer, held, key, templates.get(key))
        for channel, key in template_keys(held, workflow).items()
    }
    payload = held.payload | {
        "enterprise_id": held.enterprise_id,
        "channels": [channel.lower() for channel in _channels(held, workflow)],
        "rendered": rendered,
    }
    return Event(
        workflow_key=workflow.key,
        recipients=held.unique_recipients,
        payload=payload,
        overrides=held.overrides,
        transaction_id=held.transaction_id,
        refusals=held.refusals,
        origin=Origin(held.enterprise_id, workflow.key, held.transaction_id),
    )


def _channels(held: Held, workflow: Workflow) -> list[Channel]:
    """Return the channels that the producer chose, or else the workflow's."""
    return workflow.channels if held.channels is None else held.channels


def _fill(renderer: Renderer, held: Held, key: TemplateKey, template: Template | None) -> dict[str, Any]:
    if template is None:
        _, name, channel = key
        raise TemplateMissing(name or "(none)", channel)
    source = TemplateSource(
        id=template.id,
        version=template.version,
        channel=template.channel,
        subject=template.subject,
        body=template.body,
        defaults=template.defaults,
    )
    # A template may use both ${name} and ${payload.name}.
    rendered = renderer.render(source, {"payload": held.payload} | held.payload)
    if rendered.subject is None:
        return {"body": rendered.body}
    return {"subject": rendered.subject, "body": rendered.body}
