"""Render a notification: its templates, filled with its payload, become the event for Novu."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from json.encoder import encode_basestring as quote
from typing import Any

from xnovu_poller.delivery.overrides import render_overrides
from xnovu_poller.delivery.words import Words, channels_of, variables_of
from xnovu_poller.errors import TemplateError, TemplateFailed
from xnovu_poller.lifecycle import OUR_KEY, Channel, Language, Origin, WorkflowType
from xnovu_poller.novu import Event
from xnovu_poller.novu.event import PUSH_BYTES, split_members
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import Renderer, TemplateSource


def render(
    renderer: Renderer, held: Held, workflow: Workflow, words: Words | None, values: Mapping[str, Any]
) -> Event:
    """Render a notification into an event for Novu, addressed to each recipient once.

    The event's payload is the producer's, byte for byte, then ours under `xnovu`: `channels`, `enterprise_id`,
    `fired_at` of a rule's notification, `notification_id` and `rendered.<channel>.subject|body`.
    Rendered text travels in the payload because Novu honours channel overrides only for email and SMS.

    Args:
        words: None if nothing of the notification is rendered.
        values: the payload as Python reads it, if anything is rendered.

    Raises:
        TemplateError: a template is missing, unsafe, or cannot be filled with this payload.
    """
    rendered: dict[Channel, str] = {}
    overrides = held.overrides
    if words is not None:
        variables = variables_of(held, workflow, words.enterprise, values)
        rendered = {
            channel: _fill(renderer, source, variables, words.language)
            for channel, source in words.sources.items()
        }
        if overrides is not None:
            overrides = render_overrides(renderer, overrides, held.enterprise_id, variables, words.language)
    channels = channels_of(held, workflow)
    event = Event(
        workflow_key=workflow.key,
        recipients=held.unique_recipients,
        payload=_payload(held, channels, rendered),
        overrides=overrides,
        transaction_id=held.transaction_id,
        refusals=held.refusals,
        origin=Origin(held.enterprise_id, workflow.key, held.transaction_id),
        actor=held.actor,
        context=held.context if workflow.send_context else None,
        exclude=tuple(held.exclude or ()),
        profiles={} if held.subscribers is None else split_members(held.subscribers),
    )
    # The text of a STATIC workflow is Novu's, and perhaps no step of it looks at `channels`.
    if Channel.PUSH in channels and workflow.type is WorkflowType.DYNAMIC:
        return _fit_push(event, held, channels, rendered)
    return event


def _fit_push(
    event: Event, held: Held, channels: Sequence[Channel], rendered: Mapping[Channel, str]
) -> Event:
    """Let PUSH have a trigger of its own if the whole is too large for it.

    If an earlier try has decided it, that stays so, even if the text has another length now; else a person might get it twice.

    Raises:
        TemplateFailed: the text of PUSH is too large by itself.
    """
    text = rendered[Channel.PUSH]
    others = [channel for channel in channels if channel is not Channel.PUSH]
    heavy = _weigh_push(event.payload, text) > PUSH_BYTES
    if held.push_apart:
        heavy = True
    elif others and (held.push_apart is False or held.unknown_outcomes > 0):
        heavy = False
    if not heavy:
        return event
    push = replace(event, payload=_push_payload(held, text))
    texts: dict[Channel, str] = {channel: rendered[channel] for channel in others if channel in rendered}
    # Its workflow may have lost the other channels since.
    apart = others or held.push_apart
    return replace(event, payload=_payload(held, others, texts), push=push) if apart else push


def _push_payload(held: Held, text: str) -> bytes:
    """Return the payload for PUSH by itself; without the producer's values if they make it too large: the text is complete."""
    payloads = [
        _payload(each, [Channel.PUSH], {Channel.PUSH: text}) for each in (held, replace(held, payload=b"{}"))
    ]
    fitting = [payload for payload in payloads if _weigh_push(payload, text) <= PUSH_BYTES]
    if not fitting:
        raise TemplateFailed(f"PUSH would get {_weigh_push(payloads[1], text)} bytes, more than {PUSH_BYTES}")
    return fitting[0]


def _weigh_push(payload: bytes, text: str) -> int:
    return len(payload) + len(text.encode())


def _payload(held: Held, channels: Sequence[Channel], rendered: Mapping[Channel, str]) -> bytes:
    """Return the payload, which validation has found without our member, with it."""
    names = ",".join(quote(channel.lower()) for channel in channels)
    texts = ",".join(f'"{channel.lower()}":{text}' for channel, text in rendered.items())
    fired = "" if held.fired_at is None else f'"fired_at":{quote(held.fired_at.astimezone(UTC).isoformat())},'
    ours = (
        f'"{OUR_KEY}":{{"channels":[{names}],"enterprise_id":{quote(held.enterprise_id)},{fired}'
        f'"notification_id":{held.hold.notification_id},"rendered":{{{texts}}}}}}}'
    )
    return (b"{" if held.payload == b"{}" else held.payload[:-1] + b",") + ours.encode()


def _fill(
    renderer: Renderer,
    source: TemplateSource | TemplateError,
    variables: Mapping[str, Any],
    language: Language,
) -> str:
    """Return the texts of a channel as a JSON object."""
    if isinstance(source, TemplateError):
        raise source
    rendered = renderer.render(source, variables, locale=language.locale, time_zone=language.time_zone)
    subject = "" if rendered.subject is None else f',"subject":{quote(rendered.subject)}'
    text = "" if rendered.text is None else f',"text":{quote(rendered.text)}'
    return f'{{"body":{quote(rendered.body)}{subject}{text}}}'
