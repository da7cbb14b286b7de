"""The payload that Novu gets: the producer's values, and the rendered texts beside them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.held import NOW, held, workflow
from xnovu_poller.delivery import render
from xnovu_poller.errors import TemplateMissing
from xnovu_poller.lifecycle import Channel, Origin, WorkflowType
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.templates import Template, TemplateKey
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import Renderer

EMAIL, SMS, IN_APP = Channel.EMAIL, Channel.SMS, Channel.IN_APP


def template(channel: Channel, body: str, subject: str | None = None, **defaults: object) -> Template:
    """Return a published template."""
    return Template(1, NOW, channel, subject, body, dict(defaults))


def rendered(valid: tuple[Held, Workflow], known: dict[TemplateKey, Template]) -> Mapping[str, Any]:
    """Render with the given templates; return the payload."""
    return render.render(Renderer(), *valid, known).payload


def test_a_static_workflow_needs_no_template() -> None:
    """Novu holds its text."""
    valid = (held(payload={"a": 1}), workflow())

    assert render.template_keys(*valid) == {}
    assert rendered(valid, {}) == {"a": 1, "enterprise_id": "acme", "channels": ["email"], "rendered": {}}


def test_a_static_workflow_may_name_a_template() -> None:
    """It applies only to its own channel, and only if the notification uses that channel."""
    static = workflow(channels=[EMAIL, SMS], templates={"SMS": "short", "PUSH": "never"})
    valid = (held(), static)
    key = ("acme", "short", SMS)

    assert render.template_keys(*valid) == {SMS: key}
    assert rendered(valid, {key: template(SMS, "hi")})["rendered"] == {"sms": {"body": "hi"}}


def test_a_dynamic_workflow_needs_a_template_for_each_channel() -> None:
    """Without a template for each channel nothing is sent: raw text and half a notification must not reach anybody."""
    valid = (
        held(),
        workflow(type=WorkflowType.DYNAMIC, channels=[EMAIL, IN_APP], templates={"EMAIL": "long"}),
    )
    known = {("acme", "long", EMAIL): template(EMAIL, "hi")}

    with pytest.raises(TemplateMissing, match="none"):
        rendered(valid, known)


def test_a_notifications_channels_override_the_workflows() -> None:
    """Their order is kept."""
    valid = (held(channels=[SMS, EMAIL]), workflow(channels=[IN_APP]))

    assert rendered(valid, {})["channels"] == ["sms", "email"]


def test_a_template_reads_a_value_by_its_name_or_through_payload() -> None:
    """Templates use both forms."""
    valid = (held(payload={"n": 1}), workflow(templates={"EMAIL": "k"}))
    known = {("acme", "k", EMAIL): template(EMAIL, "${n} ${payload.n} ${d}", "S ${n}", d=3)}

    assert rendered(valid, known)["rendered"]["email"] == {"subject": "S 1", "body": "1 1 3"}


def test_a_value_named_payload_wins() -> None:
    """The producer's names take precedence."""
    valid = (held(payload={"payload": {"n": 2}}), workflow(templates={"EMAIL": "k"}))

    text = rendered(valid, {("acme", "k", EMAIL): template(EMAIL, "${payload.n}")})

    assert text["rendered"]["email"]["body"] == "2"


def test_our_own_values_override_the_producers() -> None:
    """Otherwise a producer could pretend to be another enterprise."""
    valid = (held(payload={"enterprise_id": "globex", "rendered": "x", "channels": "y"}), workflow())

    sent = rendered(valid, {})

    assert (sent["enterprise_id"], sent["rendered"], sent["channels"]) == ("acme", {}, ["email"])


def test_the_event_has_its_transaction_and_each_recipient_once() -> None:
    """They are the same at every attempt, so that Novu drops a repeat."""
    repeated = held(recipients=["b", "a", "b"], overrides={"email": {}}, transaction_id="xn-7", refusals=2)

    event = render.render(Renderer(), repeated, workflow(), {})

    assert event.recipients == ("b", "a")
    assert (event.workflow_key, event.overrides) == ("order-shipped", {"email": {}})
    assert (event.transaction_id, event.refusals) == ("xn-7", 2)
    assert event.origin == Origin("acme", "order-shipped", "xn-7")
