from collections import Counter

from benchmarks.chaos.samples import RECIPIENTS_OF_LARGE, sample
from xnovu_poller.dev.sample.enterprises import enterprises
from xnovu_poller.dev.sample.notifications import Label
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK

MINUTE = [sample(number) for number in range(900)]


def test_no_two_notifications_share_a_recipient_or_a_key() -> None:
    """A subscriber therefore identifies a delivery, and a key a row."""
    reached = Counter(recipient for each in MINUTE for recipient in each.recipients)

    assert max(reached.values()) == 1
    assert len({each.dedup_key for each in MINUTE}) == len(MINUTE)


def test_every_enterprise_has_the_same_share() -> None:
    """Their notifications come at an even pace."""
    assert set(Counter(each.enterprise_id for each in MINUTE).values()) == {len(MINUTE) // len(enterprises())}


def test_every_kind_of_notification_occurs() -> None:
    """There are single and several recipients, several chunks, and scheduled, withdrawn and expiring notifications."""
    labels = Counter(each.label for each in MINUTE)
    sizes = Counter(len(each.recipients) for each in MINUTE)

    assert set(labels) == {
        Label.IMMEDIATE,
        Label.SCHEDULED,
        Label.MANY_RECIPIENTS,
        Label.RETRACTED,
        Label.EXPIRED,
    }
    assert set(sizes) == {1, 2, 3, 4, RECIPIENTS_OF_LARGE}
    assert RECIPIENTS_OF_LARGE > 2 * RECIPIENTS_PER_CHUNK
    assert labels[Label.IMMEDIATE] > len(MINUTE) / 2
