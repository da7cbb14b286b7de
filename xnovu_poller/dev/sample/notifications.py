"""The notifications of the demo: three hundred of an ordinary week, and one of every special case."""

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
"""How many notifications show nothing special: ten of each workflow for each enterprise."""


class Label(StrEnum):
    """What a notification shows; all but the first two are there exactly once."""

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
    """One notification that the demo writes, and how it has to end.

    Attributes:
        label: what it shows.
        enterprise_id: the tenant.
        workflow_key: the workflow, the enterprise's own where there is one.
        name: what it is called.
        recipients: opaque subscriber ids, or `topic:KEY`.
        payload: without what the worker adds.
        priority: 0 to 9, higher first.
        expected: the state in which it comes to rest; None: its insert is refused.
        channels: None for the workflow's.
        dedup_key: unique per enterprise.
        publish_status: only PUBLISH is sent.
        schedule_after: from its insert to `scheduled_for`; None: due at once.
        expires_after: from its insert to `expires_at`, negative if that lies behind.
        retract: whether the demo retracts it straight after the insert.
        first_answer: the status with which Novu has to refuse its first trigger.
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
    def refused_at_insert(self) -> bool:
        """Whether the database has to refuse the row."""
        return self.expected is None


@cache
def notifications() -> tuple[SampleNotification, ...]:
    """Give all notifications, always the same, in the order in which they are to be inserted."""
    return (*(_ordinary(number) for number in range(ORDINARY)), *_special_ones())


def expected_states() -> Counter[Status]:
    """Count the rows that have to be in each state when the demo has come to rest."""
    return Counter(each.expected for each in notifications() if each.expected is not None)


def _ordinary(number: int) -> SampleNotification:
    """Let enterprises, then workflows, then occasions and buildings take turns."""
    keys = [
        each.workflow_key
        for each in workflows()
        if each.enterprise_id is None and each.publish_status is PublishStatus.PUBLISH
    ]
    so_far, which = divmod(number, len(enterprises()))
    lap, key = divmod(so_far, len(keys))
    tenant = enterprises()[which]
    first = 1 + 7 * number % 400
    notification = _written(number, tenant.id, keys[key], lap)
    notification = replace(notification, recipients=tenant.subscribers(range(first, first + 1 + number % 3)))
    if notification.payload.get("notificationType") not in {"reminder", "day_of"}:
        return notification
    return replace(notification, label=Label.SCHEDULED, schedule_after=timedelta(seconds=2 + number % 8))


def _special_ones() -> list[SampleNotification]:
    numbers = count(ORDINARY)

    def written(enterprise_id: str, kind: str, lap: int = 0) -> SampleNotification:
        return _written(next(numbers), enterprise_id, f"default-fire-{kind}", lap)

    kept = written("harbour-towers", "maintenance", lap=1)
    kept = replace(kept, label=Label.DEDUP_KEPT, dedup_key="alarm-panel-p1-2026-03-02")
    broken = written("campus-north", "emergency")
    return [
        replace(
            written("campus-north", "drill", lap=1),
            label=Label.MANY_RECIPIENTS,
            recipients=enterprise("campus-north").subscribers(range(1, 251)),
        ),
        replace(
            written("harbour-towers", "emergency"),
            label=Label.TOPIC,
            recipients=(topic(enterprise("harbour-towers")).recipient,),
        ),
        replace(
            written("riverside-hospital", "inspection"),
            label=Label.DRAFT,
            publish_status=PublishStatus.DRAFT,
            expected=Status.PENDING,
        ),
        replace(
            written("campus-donghu", "drill"),
            label=Label.EXPIRED,
            expires_after=timedelta(minutes=-1),
            expected=Status.RETRACTED,
        ),
        replace(
            written("park-xincheng", "training"),
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
            written("riverside-hospital", "patrol"),
            label=Label.UNPUBLISHED_WORKFLOW,
            expected=Status.DEAD,
        ),
        replace(
            written("campus-donghu", "maintenance", lap=1),
            label=Label.FIRST_ANSWER_503,
            first_answer=503,
        ),
        kept,
        replace(kept, label=Label.DEDUP_REFUSED, expected=None),
    ]


def _written(number: int, enterprise_id: str, workflow_key: str, lap: int) -> SampleNotification:
    """Write an occasion into a building, for the enterprise's first subscriber."""
    tenant = enterprise(enterprise_id)
    possible = occasions(workflow_key, tenant.language)
    occasion = possible[lap % len(possible)]
    # Sevens, for they share no factor with the turns of enterprises, workflows and occasions.
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
