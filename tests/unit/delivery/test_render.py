"""The payload that Novu gets: the producer's words, and the rendered ones beside them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.held import NOW, held, workflow
from xnovu_poller.delivery import render
from xnovu_poller.errors import TemplateMissing
from xnovu_poller.lifecycle import Channel, Sender, WorkflowType
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.templates import Template, TemplateKey
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import Renderer

EMAIL, SMS, IN_APP = Channel.EMAIL, Channel.SMS, Channel.IN_APP


def template(channel: Channel, body: str, subject: str | None = None, **defaults: object) -> Template:
    """Make a published template."""
    return Template(1, NOW, channel, subject, body, dict(defaults))


def rendered(valid: tuple[Held, Workflow], known: dict[TemplateKey, Template]) -> Mapping[str, Any]:
    """Render with templates at hand; give the payload."""
    return render.render(Renderer(), *valid, known).payload


def test_a_static_workflow_needs_no_template() -> None:
    """Novu holds its text."""
    valid = (held(payload={"a": 1}), workflow())

    assert render.template_keys(*valid) == {}
    assert rendered(valid, {}) == {"a": 1, "enterprise_id": "acme", "channels": ["email"], "rendered": {}}


def test_a_static_workflow_may_name_a_template() -> None:
    """Only for the channel that it names, and only if that is asked for."""
    static = workflow(channels=[EMAIL, SMS], templates={"SMS": "short", "PUSH": "never"})
    valid = (held(), static)
    key = ("acme", "short", SMS)

    assert render.template_keys(*valid) == {SMS: key}
    assert rendered(valid, {key: template(SMS, "hi")})["rendered"] == {"sms": {"body": "hi"}}


def test_a_dynamic_workflow_needs_one_for_each_channel() -> None:
    """A channel without one stops it: raw text never reaches a user, and half a notification is none."""
    valid = (
        held(),
        workflow(type=WorkflowType.DYNAMIC, channels=[EMAIL, IN_APP], templates={"EMAIL": "long"}),
    )
    known = {("acme", "long", EMAIL): template(EMAIL, "hi")}

    with pytest.raises(TemplateMissing, match="none"):
        rendered(valid, known)


def test_the_channels_asked_for_win_over_the_workflows() -> None:
    """In their order."""
    valid = (held(channels=[SMS, EMAIL]), workflow(channels=[IN_APP]))

    assert rendered(valid, {})["channels"] == ["sms", "email"]


def test_a_variable_is_reached_by_its_name_and_through_payload() -> None:
    """Both forms are in use."""
    valid = (held(payload={"n": 1}), workflow(templates={"EMAIL": "k"}))
    known = {("acme", "k", EMAIL): template(EMAIL, "${n} ${payload.n} ${d}", "S ${n}", d=3)}

    assert rendered(valid, known)["rendered"]["email"] == {"subject": "S 1", "body": "1 1 3"}


def test_a_payloads_own_payload_wins() -> None:
    """The producer's names come first."""
    valid = (held(payload={"payload": {"n": 2}}), workflow(templates={"EMAIL": "k"}))

    text = rendered(valid, {("acme", "k", EMAIL): template(EMAIL, "${payload.n}")})

    assert text["rendered"]["email"]["body"] == "2"


def test_what_we_add_wins_over_the_producers() -> None:
    """A producer cannot pass for another enterprise."""
    valid = (held(payload={"enterprise_id": "globex", "rendered": "x", "channels": "y"}), workflow())

    sent = rendered(valid, {})

    assert (sent["enterprise_id"], sent["rendered"], sent["channels"]) == ("acme", {}, ["email"])


def test_the_event_bears_what_drops_a_repeat_and_each_recipient_once() -> None:
    """The same at every attempt."""
    one = held(recipients=["b", "a", "b"], overrides={"email": {}}, transaction_id="xn-7", refusals=2)

    event = render.render(Renderer(), one, workflow(), {})

    assert event.recipients == ("b", "a")
    assert (event.workflow_key, event.overrides) == ("order-shipped", {"email": {}})
    assert (event.transaction_id, event.refusals) == ("xn-7", 2)
    assert event.source == Sender("acme", "order-shipped", "xn-7")
