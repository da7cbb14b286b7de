"""The words of a notification: its templates by channel, filled with its payload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xnovu_poller.errors import TemplateMissing
from xnovu_poller.lifecycle import Channel, WorkflowType
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.reads import Template, TemplateKey, Workflow
from xnovu_poller.templates.render import Renderer, TemplateSource


@dataclass(frozen=True, slots=True)
class Valid:
    """A notification that may be sent, with its workflow."""

    held: Held
    workflow: Workflow

    @property
    def channels(self) -> list[Channel]:
        """The channels asked for, or else the workflow's own."""
        return self.workflow.channels if self.held.channels is None else self.held.channels

    @property
    def wishes(self) -> dict[Channel, TemplateKey]:
        """The templates that it needs.

        A DYNAMIC workflow needs one for each channel; a STATIC one, whose text Novu holds, only where
        `template_overrides` names one.
        """
        dynamic = self.workflow.type is WorkflowType.DYNAMIC
        return {
            channel: (self.held.enterprise_id, self.workflow.templates.get(channel, ""), channel)
            for channel in self.channels
            if dynamic or channel in self.workflow.templates
        }


async def templates(engine: Engine, group: Sequence[Valid]) -> dict[TemplateKey, Template]:
    """Read all templates that a group needs, in one question.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    wishes = {wish for valid in group for wish in valid.wishes.values()}
    return await reads.templates(engine, wishes) if wishes else {}


def payload(renderer: Renderer, valid: Valid, known: Mapping[TemplateKey, Template]) -> dict[str, Any]:
    """Render a notification into the payload that Novu gets: the producer's own, and beside it
    `enterprise_id`, `channels` and `rendered.<channel>.subject|body`.

    Rendered text travels in the payload because Novu honours channel overrides only for email and SMS.

    Raises:
        TemplateError: a template is missing, unsafe, or cannot be filled with this payload.
    """
    # A template may say ${name} and ${payload.name}.
    variables = {"payload": valid.held.payload} | valid.held.payload
    rendered: dict[str, dict[str, str]] = {}
    for channel, wish in valid.wishes.items():
        template = known.get(wish)
        if template is None:
            raise TemplateMissing(wish[1] or "(none)", channel)
        words = renderer.render(_source(template), variables)
        parts = (
            {"body": words.body} if words.subject is None else {"subject": words.subject, "body": words.body}
        )
        rendered[channel.lower()] = parts
    return valid.held.payload | {
        "enterprise_id": valid.held.enterprise_id,
        "channels": [channel.lower() for channel in valid.channels],
        "rendered": rendered,
    }


def _source(template: Template) -> TemplateSource:
    return TemplateSource(
        id=template.id,
        version=template.version,
        channel=template.channel,
        subject=template.subject,
        body=template.body,
        defaults=template.defaults,
    )
