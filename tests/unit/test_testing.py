"""`recorded` gathers what would have been enqueued."""

import pytest

from xnovu_poller.client import (
    DuplicateRefused,
    Enqueued,
    Notification,
    NotificationRefused,
    enqueue,
    enqueue_all,
    enqueue_all_async,
    enqueue_async,
)
from xnovu_poller.testing import recorded

SHIPPED = Notification("order-shipped", ["user-17"], {"order": 42}, dedup_key="order-42")


async def test_all_calls_are_gathered_and_need_no_connection() -> None:
    """By enterprise, and in their order; an inner recorder takes over for its time."""
    other = Notification("welcome", ["user-18"])
    with recorded() as outer:
        assert enqueue(None, SHIPPED, enterprise="acme") == Enqueued(1, is_new=True)
        assert await enqueue_async(None, other, enterprise="globex") == Enqueued(2, is_new=True)
        with recorded() as inner:
            assert await enqueue_all_async(None, [other], enterprise="acme") == [Enqueued(1, is_new=True)]
        enqueue_all(None, [other, other], enterprise="acme")

    assert outer.notifications == [SHIPPED, other, other, other]
    assert (outer.of("acme"), outer.of("globex")) == ([SHIPPED, other, other], [other])
    assert inner.notifications == [other]
    with pytest.raises(TypeError, match="NoneType does not fit"):
        enqueue(None, SHIPPED, enterprise="acme")


def test_a_repeated_key_gets_the_first_id() -> None:
    """As from PostgreSQL; other content under the key is refused, and another enterprise has keys of its own."""
    again = Notification(
        "order-shipped", [" user-17", "user-17"], {"order": 42.0, "xnovu_trace": {}}, dedup_key="order-42"
    )
    with recorded() as recorder:
        made = enqueue_all(None, [SHIPPED, again], enterprise="acme")
        assert made == [Enqueued(1, is_new=True), Enqueued(1, is_new=False)]
        assert enqueue(None, again, enterprise="globex").is_new
        with pytest.raises(DuplicateRefused, match="notification 1, which has another workflow"):
            enqueue(None, Notification("order-shipped", ["user-17"], dedup_key="order-42"), enterprise="acme")

    assert recorder.of("acme") == [SHIPPED]


def test_what_is_no_json_is_refused_too() -> None:
    """A test finds it without a database."""
    with (
        recorded() as recorder,
        pytest.raises(NotificationRefused, match="payload cannot be written as JSON"),
    ):
        enqueue(None, Notification("order-shipped", ["user-17"], {"at": object()}), enterprise="acme")

    assert recorder.notifications == []
