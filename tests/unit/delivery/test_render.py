"""The payload that Novu gets: the producer's values, and ours under `xnovu`."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.support.held import held, workflow
from xnovu_poller.delivery.render import render
from xnovu_poller.delivery.validate import read_values
from xnovu_poller.delivery.words import Words
from xnovu_poller.errors import TemplateFailed, TemplateMissing
from xnovu_poller.lifecycle import Channel, Language, Origin, WorkflowType
from xnovu_poller.novu import Event
from xnovu_poller.store.enterprises import Enterprise
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.workflows import Workflow
from xnovu_poller.templates.render import Renderer, TemplateSource

EMAIL, SMS, IN_APP, PUSH = Channel.EMAIL, Channel.SMS, Channel.IN_APP, Channel.PUSH
ACME = Enterprise("acme", "Acme Ltd", brand='{"colour": "red", "n": 1.10}')


def words(*sources: TemplateSource) -> Words:
    """Return the words of a notification of acme in English."""
    return Words(ACME, Language("en", "UTC"), {source.channel: source for source in sources})


def template(channel: Channel, body: str, subject: str | None = None, **defaults: object) -> TemplateSource:
    """Return a global template."""
    return TemplateSource(None, channel, subject, body, defaults)


def event(valid: tuple[Held, Workflow], *sources: TemplateSource) -> Event:
    """Render with templates, or without any words."""
    values = read_values(valid[0], used=bool(sources))
    return render(Renderer(), *valid, words(*sources) if sources else None, values)


def ours(valid: tuple[Held, Workflow], *sources: TemplateSource) -> Any:  # noqa: ANN401 - JSON
    """Render; return our part of the payload."""
    return json.loads(event(valid, *sources).payload)["xnovu"]


def email(valid: tuple[Held, Workflow], *sources: TemplateSource) -> Any:  # noqa: ANN401 - JSON
    """Render; return the texts of the mail."""
    return ours(valid, *sources)["rendered"]["email"]


def test_ours_lies_under_one_name() -> None:
    """The producer's own values are beside it, under any names."""
    stored: Mapping[str, Any] = {"a": 1, "enterprise_id": "globex", "channels": "y", "rendered": "x"}

    payload = json.loads(event((held(payload=stored), workflow())).payload)

    part = {"channels": ["email"], "enterprise_id": "acme", "notification_id": 1, "rendered": {}}
    assert payload == {**stored, "xnovu": part}
    assert json.loads(event((held(), workflow())).payload) == {"xnovu": part}


def test_nothing_is_sent_without_a_template() -> None:
    """Raw text and half a notification must not reach anybody."""
    missing = Words(ACME, Language("en", "UTC"), {EMAIL: TemplateMissing("long", EMAIL)})

    with pytest.raises(TemplateMissing, match="template long"):
        render(Renderer(), held(), workflow(), missing, {})


def test_a_notifications_channels_override_the_workflows() -> None:
    """Their order is kept, each once."""
    valid = (held(channels=[SMS, EMAIL, SMS]), workflow(channels=[IN_APP]))

    assert ours(valid)["channels"] == ["sms", "email"]


def test_a_template_reads_a_value_by_its_name_or_through_payload() -> None:
    """Templates use both forms."""
    found = email(
        (held(payload={"n": 1}), workflow()), template(EMAIL, "${n} ${payload.n} ${d}", "S ${n}", d=3)
    )

    assert found == {"subject": "S 1", "body": "1 1 3", "text": "1 1 3"}


def test_a_template_reads_what_we_know_beside_the_payload() -> None:
    """Times are in UTC; `now` is when the row became due, so that a repeat is the same text."""
    at = datetime(2030, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=8)))
    valid = (held(scheduled_for=at, fired_at=at, due_at=at), workflow())
    names = (
        "enterprise.id enterprise.name workflow.key workflow.name notification.id notification.name"
        " notification.scheduled_for now fired_at xnovu.fired_at payload.xnovu.fired_at brand.colour brand.n"
    )

    found = email(valid, template(EMAIL, "|".join(f"${{{name}}}" for name in names.split())))

    utc = "2029-12-31T16:30:00+00:00"
    facts = ["acme", "Acme Ltd", "order-shipped", "Order shipped", "1", "order 42", *[utc] * 5, "red", "1.10"]
    assert found["body"].split("|") == facts
    assert ours(valid)["fired_at"] == utc
    assert "fired_at" not in ours((held(), workflow()))


def test_the_producers_names_take_precedence() -> None:
    """Over ours, and over the name of the payload itself."""
    valid = (held(payload={"payload": {"n": 2}, "now": "soon", "brand": "b"}), workflow())

    assert email(valid, template(EMAIL, "${payload.n} ${now} ${brand}"))["body"] == "2 soon b"


def test_numbers_keep_their_digits() -> None:
    """A float would change them, in silence: in the text and in the call."""
    stored = f'{{"n": [1.10, -0.0, 1E+400, {10**30}, "\\u0001ä"], "money": 100.00, "a": {{"xnovu": 1.50}}}}'
    valid = (held(payload=stored.encode()), workflow())

    sent = event(valid, template(EMAIL, "${money}"))

    assert sent.payload.startswith(stored[:-1].encode() + b',"xnovu":{')
    assert json.loads(sent.payload, parse_float=Decimal)["xnovu"]["rendered"]["email"]["body"] == "100.00"


def test_the_same_notification_is_the_same_bytes() -> None:
    """Novu repeats its answer only to the same bytes."""
    valid = (held(payload={"n": 1.1, "name": "<ä>"}), workflow())
    source = template(EMAIL, "${n} ${name}", "S ${n}")

    assert event(valid, source) == event(valid, source)
    assert event(valid, source).payload.decode() == (
        '{"n": 1.1, "name": "<ä>","xnovu":{"channels":["email"],"enterprise_id":"acme","notification_id":1,'
        '"rendered":{"email":{"body":"1.1 &lt;ä&gt;","subject":"S 1.1","text":"1.1 <ä>"}}}}'
    )


def test_the_event_has_its_transaction_and_each_recipient_once() -> None:
    """They are the same at every attempt, so that Novu drops a repeat."""
    repeated = held(recipients=["b", "a", "b"], overrides={"email": {}}, transaction_id="xn-7", refusals=2)

    found = event((repeated, workflow()))

    assert found.recipients == ("b", "a")
    assert (found.workflow_key, found.overrides) == ("order-shipped", b'{"email": {}}')
    assert (found.transaction_id, found.refusals) == ("xn-7", 2)
    assert found.origin == Origin("acme", "order-shipped", "xn-7")


BOTH = workflow(type=WorkflowType.DYNAMIC, channels=[EMAIL, PUSH])
MAIL = template(EMAIL, "m" * 5_000)


def parts(valid: tuple[Held, Workflow], *sources: TemplateSource) -> list[dict[str, Any]]:
    """Render; return the payload, and that of PUSH if it goes by itself."""
    sent = event(valid, *sources)
    return [json.loads(part.payload) for part in (sent, sent.push) if part is not None]


def test_push_does_not_carry_a_mail() -> None:
    """It goes by itself if the whole is too large for it; the mail goes without it."""
    mail, push = parts((held(payload={"a": 1}), BOTH), MAIL, template(PUSH, "p"))

    assert (mail["a"], mail["xnovu"]["channels"], push["a"]) == (1, ["email"], 1)
    assert mail["xnovu"]["rendered"].keys() == {"email"}
    assert push["xnovu"]["channels"] == ["push"]
    assert push["xnovu"]["rendered"] == {"push": {"body": "p"}}
    assert push["xnovu"]["notification_id"] == mail["xnovu"]["notification_id"] == 1


def test_push_goes_with_the_others_if_the_whole_is_small() -> None:
    """Or if Novu has the text: its steps may not look at the channels."""
    small = template(EMAIL, "m")
    static = workflow(channels=[EMAIL, PUSH])

    assert len(parts((held(), BOTH), small, template(PUSH, "p"))) == 1
    assert len(parts((held(), static), MAIL, template(PUSH, "p"))) == 1


@pytest.mark.parametrize("channels", [[PUSH], [EMAIL, PUSH]])
def test_the_producers_values_do_not_make_push_too_large(channels: list[Channel]) -> None:
    """An attachment is for the mail."""
    valid = (held(payload={"attachments": "x" * 5_000}, channels=channels), BOTH)

    *_, push = parts(valid, template(PUSH, "p"), *([MAIL] if EMAIL in channels else []))

    assert push.keys() == {"xnovu"}


def test_a_text_that_is_too_large_for_push_is_not_sent() -> None:
    """Its bytes count, twice: Novu sends them as the text and in the payload."""
    only = (held(channels=[PUSH]), BOTH)

    assert len(parts(only, template(PUSH, "ä" * 950))) == 1
    with pytest.raises(TemplateFailed, match=r"PUSH would get 4[0-9]{3} bytes, more than 4096"):
        parts(only, template(PUSH, "ä" * 1_000))


@pytest.mark.parametrize(
    ("earlier", "mail", "count"),
    [
        ({"push_apart": True}, "m", 2),
        ({"push_apart": False}, "m" * 5_000, 1),
        ({"unknown_outcomes": 1}, "m" * 5_000, 1),
        ({"unknown_outcomes": 1, "push_apart": True}, "m", 2),
    ],
)
def test_a_later_try_sends_push_as_the_first_did(earlier: dict[str, Any], mail: str, count: int) -> None:
    """A template may have changed between the two."""
    assert len(parts((held(**earlier), BOTH), template(EMAIL, mail), template(PUSH, "p"))) == count
