"""The notifications of the soak: an endless series, in which no two share a recipient."""

from datetime import timedelta

from xnovu_poller.dev.sample.enterprises import enterprises
from xnovu_poller.dev.sample.notifications import Label, SampleNotification
from xnovu_poller.dev.sample.suite import occasions, workflows
from xnovu_poller.lifecycle import PublishStatus

LARGE_EVERY = 60
SCHEDULED_EVERY = 11
RETRACTED_EVERY = 25
EXPIRING_EVERY = 29

RECIPIENTS_OF_LARGE = 230
"""Three chunks."""

EXPIRES_AFTER = timedelta(seconds=2)
SCHEDULED_AFTER = timedelta(seconds=3)


def sample(number: int) -> SampleNotification:
    """Return a notification; enterprises, workflows and occasions take turns."""
    so_far, turn = divmod(number, len(enterprises()))
    enterprise = enterprises()[turn]
    key = _KEYS[so_far % len(_KEYS)]
    possible = occasions(key, enterprise.language)
    occasion = possible[so_far // len(_KEYS) % len(possible)]
    building = enterprise.buildings[number // 7 % len(enterprise.buildings)]
    label = _label(number)
    return SampleNotification(
        label=label,
        enterprise_id=enterprise.id,
        workflow_key=key,
        name=f"{occasion.title_in(building)} [{number}]",
        recipients=tuple(f"{enterprise.id}-{number}-{place}" for place in range(_size(number))),
        payload=occasion.payload_in(building, number % 10_000),
        priority=occasion.priority,
        channels=occasion.channels,
        dedup_key=f"soak-{number}",
        schedule_after=SCHEDULED_AFTER if label is Label.SCHEDULED else None,
        expires_after=EXPIRES_AFTER if label is Label.EXPIRED else None,
        retract=label is Label.RETRACTED,
    )


_KEYS = [
    each.workflow_key
    for each in workflows()
    if each.enterprise_id is None and each.publish_status is PublishStatus.PUBLISH
]


def _size(number: int) -> int:
    """Return the number of recipients: mostly 1, sometimes a few, now and then several chunks."""
    if _label(number) is Label.MANY_RECIPIENTS:
        return RECIPIENTS_OF_LARGE
    return 1 + max(0, number % 10 - 6)


def _label(number: int) -> Label:
    """Return how a notification is special; count from the end of each turn, so that the first are ordinary."""
    for every, label in (
        (LARGE_EVERY, Label.MANY_RECIPIENTS),
        (SCHEDULED_EVERY, Label.SCHEDULED),
        (RETRACTED_EVERY, Label.RETRACTED),
        (EXPIRING_EVERY, Label.EXPIRED),
    ):
        if number % every == every - 1:
            return label
    return Label.IMMEDIATE
