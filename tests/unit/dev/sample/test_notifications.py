from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from xnovu_poller.dev.sample.enterprises import enterprises, topics
from xnovu_poller.dev.sample.notifications import (
    Label,
    SampleNotification,
    expected_states,
    notifications,
)
from xnovu_poller.dev.sample.suite import SampleWorkflow, templates, workflows
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, Channel, PublishStatus, Status
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer, TemplateSource

SEGMENT = 160
"""Characters of a text message in Latin letters."""


def _the(label: Label) -> SampleNotification:
    """Return the only notification of a special case."""
    (only,) = (each for each in notifications() if each.label is label)
    return only


def _workflow_of(notification: SampleNotification) -> SampleWorkflow:
    """Return the enterprise's own workflow if it has one, else the global workflow."""
    rows = {
        each.enterprise_id: each
        for each in workflows()
        if each.workflow_key == notification.workflow_key
        and each.enterprise_id in {None, notification.enterprise_id}
    }
    return rows.get(notification.enterprise_id, rows[None])


def _rendered(notification: SampleNotification) -> Iterator[tuple[Channel, Rendered]]:
    workflow = _workflow_of(notification)
    for channel in notification.channels or workflow.default_channels:
        template = next(
            each
            for each in templates()
            if each.template_key == workflow.template_overrides[channel] and each.channel_type is channel
        )
        source = TemplateSource(
            None,
            channel,
            template.subject_template,
            template.body_template,
            template.defaults,
        )
        yield channel, RENDERER.render(source, notification.payload)


RENDERER = Renderer()


def test_there_are_at_least_three_hundred_for_five_enterprises() -> None:
    """Every enterprise has at least ten of each published workflow."""
    assert len(notifications()) >= 300
    shares = Counter((each.enterprise_id, each.workflow_key) for each in notifications())
    published = {each.workflow_key for each in workflows() if each.publish_status is PublishStatus.PUBLISH}
    assert all(shares[each.id, key] >= 10 for each in enterprises() for key in published)


def test_they_are_always_the_same_and_each_has_its_own_name() -> None:
    """Nothing is random, and only the refused duplicate repeats a name."""
    notifications.cache_clear()
    first = notifications()
    notifications.cache_clear()
    assert notifications() == first
    names = [each.name for each in first if not each.is_refused_at_insert]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("label", [each for each in Label if each not in {Label.IMMEDIATE, Label.SCHEDULED}])
def test_each_special_case_exists_exactly_once(label: Label) -> None:
    """The demo shows each special case in one notification."""
    assert _the(label).label is label


def test_every_notification_fits_the_table() -> None:
    """Recipients, priority and channels are what the table and the workflow allow."""
    addressable = {topic.recipient for topic in topics()}
    for each in notifications():
        assert each.recipients
        assert len(set(each.recipients)) == len(each.recipients)
        assert 0 <= each.priority <= 9
        assert set(each.channels or ()) <= set(_workflow_of(each).default_channels)
        assert all(
            recipient in addressable or recipient.startswith(f"{each.enterprise_id}-")
            for recipient in each.recipients
        )


def test_only_the_broken_payload_breaks_its_schema() -> None:
    """Every other payload is valid."""
    broken = [
        each.label
        for each in notifications()
        if not Draft202012Validator(dict(_workflow_of(each).payload_schema)).is_valid(each.payload)
    ]
    assert broken == [Label.BROKEN_PAYLOAD]


def test_every_payload_can_be_rendered_on_every_channel() -> None:
    """Each template can render each payload, no placeholder is left, and a text message is short."""
    for each in notifications():
        for channel, words in _rendered(each):
            written = f"{words.subject or ''}\n{words.body}"
            assert "${" not in written
            assert "{building}" not in written
            if channel is Channel.SMS:
                assert len(words.body) <= SEGMENT


def test_payload_values_are_escaped_where_html_is_shown() -> None:
    """People see the angle brackets and ampersands in names of buildings as text."""
    laboratory = next(
        each for each in notifications() if each.payload.get("buildingName") == "Laboratory <East>"
    )
    words = dict(_rendered(laboratory))
    assert "Laboratory &lt;East&gt;" in words[Channel.EMAIL].body
    assert "Laboratory <East>" not in words[Channel.EMAIL].body


def test_people_read_their_own_language() -> None:
    """Only the Chinese enterprises get Chinese text."""
    languages = {each.id: each.language for each in enterprises()}
    for each in notifications():
        for _, words in _rendered(each):
            chinese = any("\u4e00" <= letter <= "\u9fff" for letter in words.body)
            assert chinese == (languages[each.enterprise_id] == "zh")


def test_scheduled_notifications_come_due_within_seconds() -> None:
    """You can watch them in the demo, except for the notification that is retracted before it is due."""
    ahead = {each.label: each.schedule_after for each in notifications() if each.schedule_after}
    assert set(ahead) == {Label.SCHEDULED, Label.RETRACTED}
    assert all(
        timedelta(0) < each.schedule_after < timedelta(seconds=10)
        for each in notifications()
        if each.schedule_after and each.label is Label.SCHEDULED
    )
    assert _the(Label.RETRACTED).retract


def test_each_special_case_is_what_its_label_names() -> None:
    """Each of them has the property that makes it special."""
    assert len(set(_the(Label.MANY_RECIPIENTS).recipients)) == 250 > 2 * RECIPIENTS_PER_CHUNK
    assert _the(Label.TOPIC).recipients == ("topic:harbour-towers-fire-wardens",)
    assert _the(Label.DRAFT).publish_status is PublishStatus.DRAFT
    assert (_the(Label.EXPIRED).expires_after or timedelta()) < timedelta()
    assert _workflow_of(_the(Label.UNPUBLISHED_WORKFLOW)).publish_status is PublishStatus.DRAFT
    assert _the(Label.FIRST_ANSWER_503).first_answer == 503
    kept, refused = _the(Label.DEDUP_KEPT), _the(Label.DEDUP_REFUSED)
    assert (kept.enterprise_id, kept.dedup_key) == (refused.enterprise_id, refused.dedup_key)
    assert notifications().index(kept) < notifications().index(refused)
    assert refused.is_refused_at_insert


def test_the_expected_states_count_every_row_that_is_written() -> None:
    """One draft is pending, two are retracted, two are dead, the duplicate has no row, and all others are sent."""
    states = expected_states()
    assert states.total() == len(notifications()) - 1
    assert (states[Status.PENDING], states[Status.RETRACTED], states[Status.DEAD]) == (1, 2, 2)
    assert states[Status.SENT] >= 300
