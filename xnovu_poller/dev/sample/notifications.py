"""The notifications of the demo: three hundred that are ordinary, and one for every special case."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cache
from itertools import count
from typing import Any

from xnovu_poller.dev.sample.enterprises import enterprise, enterprises, topic
from xnovu_poller.dev.sample.suite import occasions, workflows
from xnovu_poller.lifecycle import Channel, PublishStatus, Status

ORDINARY = 300
"""The number of ordinary notifications: ten of each workflow for each enterprise."""


class Label(StrEnum):
    """The case that a notification demonstrates; each but the first two occurs exactly once."""

    IMMEDIATE = "sent at once"
    SCHEDULED = "scheduled a few seconds ahead"
    MANY_RECIPIENTS = "250 recipients, three triggers"
    TOPIC = "addressed to a topic"
    DRAFT = "a draft: stays pending, unclaimed"
    EXPIRED = "expired before it could be sent"
    RETRACTED = "retracted before it is due"
    BROKEN_PAYLOAD = "its payload breaks the workflow's schema"
    UNPUBLISHED_WORKFLOW = "its workflow is not published"
    FIRST_ANSWER_503 = "Novu's first answer is 503"
    DEDUP_KEPT = "has a dedup key"
    DEDUP_REFUSED = "has the same dedup key: its insert is refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleNotification:
    """One notification that the demo writes, and its expected result.

    Attributes:
        label: the case that it demonstrates.
        enterprise_id: the tenant.
        workflow_key: the workflow; the enterprise's own if it has one.
        name: its name.
        recipients: opaque subscriber ids, or `topic:KEY`.
        payload: without the members that the worker adds.
        priority: 0 to 9, higher first.
        expected: its last state; None if its insert must be refused.
        channels: None for the workflow's channels.
        dedup_key: unique per enterprise.
        publish_status: only PUBLISH is sent.
        schedule_after: the time from its insert to `scheduled_for`; None if it is due at once.
        expires_after: the time from its insert to `expires_at`; negative if it has already expired.
        retract: whether the demo retracts it right after the insert.
        first_answer: the HTTP status with which Novu refuses its first trigger.
    """

    label: Label
    enterprise_id: str
    workflow_key: str
    name: str
    recipients: tuple[str, ...]
    payload: Mapping[str, Any]
    priority: int
    expected: Status | None = Status.SENT
    channels: tuple[Channel, ...] | None = None
    dedup_key: str | None = None
    publish_status: PublishStatus = PublishStatus.PUBLISH
    schedule_after: timedelta | None = None
    expires_after: timedelta | None = None
    retract: bool = False
    first_answer: int | None = None

    @property
    def is_refused_at_insert(self) -> bool:
        """Whether the database must refuse the row."""
        return self.expected is None


@cache
def notifications() -> tuple[SampleNotification, ...]:
    """Return all notifications, always the same, in the order of their inserts."""
    return (*(_ordinary(number) for number in range(ORDINARY)), *_special_cases())


def expected_states() -> Counter[Status]:
    """Return the number of rows that must be in each state at the end of the demo."""
    return Counter(sample.expected for sample in notifications() if sample.expected is not None)


def _ordinary(number: int) -> SampleNotification:
    """Take turns through the enterprises, then the workflows, then occasions and buildings."""
    keys = [
        workflow.workflow_key
        for workflow in workflows()
        if workflow.enterprise_id is None and workflow.publish_status is PublishStatus.PUBLISH
    ]
    turn, tenant_index = divmod(number, len(enterprises()))
    lap, key_index = divmod(turn, len(keys))
    tenant = enterprises()[tenant_index]
    first = 1 + 7 * number % 400
    notification = _make(number, tenant.id, keys[key_index], lap)
    notification = replace(notification, recipients=tenant.subscribers(range(first, first + 1 + number % 3)))
    if notification.payload.get("notificationType") not in {"reminder", "day_of"}:
        return notification
    return replace(notification, label=Label.SCHEDULED, schedule_after=timedelta(seconds=2 + number % 8))


def _special_cases() -> list[SampleNotification]:
    numbers = count(ORDINARY)

    def make(enterprise_id: str, kind: str, lap: int = 0) -> SampleNotification:
        return _make(next(numbers), enterprise_id, f"default-fire-{kind}", lap)

    kept = make("harbour-towers", "maintenance", lap=1)
    kept = replace(kept, label=Label.DEDUP_KEPT, dedup_key="alarm-panel-p1-2026-03-02")
    broken = make("campus-north", "emergency")
    return [
        replace(
            make("campus-north", "drill", lap=1),
            label=Label.MANY_RECIPIENTS,
            recipients=enterprise("campus-north").subscribers(range(1, 251)),
        ),
        replace(
            make("harbour-towers", "emergency"),
            label=Label.TOPIC,
            recipients=(topic(enterprise("harbour-towers")).recipient,),
        ),
        replace(
            make("riverside-hospital", "inspection"),
            label=Label.DRAFT,
            publish_status=PublishStatus.DRAFT,
            expected=Status.PENDING,
        ),
        replace(
            make("campus-donghu", "drill"),
            label=Label.EXPIRED,
            expires_after=timedelta(minutes=-1),
            expected=Status.RETRACTED,
        ),
        replace(
            make("park-xincheng", "training"),
            label=Label.RETRACTED,
            schedule_after=timedelta(hours=1),
            retract=True,
            expected=Status.RETRACTED,
        ),
        replace(
            broken,
            label=Label.BROKEN_PAYLOAD,
            payload={**broken.payload, "severity": "catastrophic"},
            expected=Status.DEAD,
        ),
        replace(
            make("riverside-hospital", "patrol"),
            label=Label.UNPUBLISHED_WORKFLOW,
            expected=Status.DEAD,
        ),
        replace(
            make("campus-donghu", "maintenance", lap=1),
            label=Label.FIRST_ANSWER_503,
            first_answer=503,
        ),
        kept,
        replace(kept, label=Label.DEDUP_REFUSED, expected=None),
    ]


def _make(number: int, enterprise_id: str, workflow_key: str, lap: int) -> SampleNotification:
    """Make a notification from an occasion and a building, for the enterprise's first subscriber."""
    tenant = enterprise(enterprise_id)
    possible = occasions(workflow_key, tenant.language)
    occasion = possible[lap % len(possible)]
    # Seven shares no factor with the numbers of enterprises, workflows and occasions.
    building = tenant.buildings[number // 7 % len(tenant.buildings)]
    return SampleNotification(
        label=Label.IMMEDIATE,
        enterprise_id=enterprise_id,
        workflow_key=workflow_key,
        name=f"{occasion.title_in(building)} [{number:03}]",
        recipients=tenant.subscribers(range(1, 2)),
        payload=occasion.payload_in(building, number),
        priority=occasion.priority,
        channels=occasion.channels,
    )
