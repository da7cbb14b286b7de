import pytest

from xnovu_poller.dev.standin.buckets import Buckets, find_category
from xnovu_poller.dev.standin.calls import Refusal

TRIGGER = "/v1/events/trigger"
BULK = "/v1/events/trigger/bulk"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_the_free_plans_burst_is_three_bulk_calls() -> None:
    """There are 330 tokens at first, and a bulk call takes a hundred."""
    buckets = Buckets(Clock())
    remaining = [buckets.take(BULK, "free", {})["RateLimit-Remaining"] for _ in range(3)]
    assert remaining == ["230", "130", "30"]
    with pytest.raises(Refusal) as refused:
        buckets.take(BULK, "free", {})
    assert refused.value.status == 429
    assert refused.value.headers["Retry-After"] == "2"


def test_tokens_come_back_over_time_but_never_beyond_the_burst() -> None:
    """There are sixty a second, up to 330."""
    clock = Clock()
    buckets = Buckets(clock)
    for _ in range(3):
        buckets.take(BULK, "free", {})
    clock.now = 2.0
    assert buckets.take(BULK, "free", {})["RateLimit-Remaining"] == "50"
    clock.now = 1000.0
    assert buckets.take(TRIGGER, "free", {})["RateLimit-Remaining"] == "329"


def test_a_category_has_its_own_bucket_and_may_have_its_own_limit() -> None:
    """Triggers do not use up the tokens of subscribers."""
    buckets = Buckets(Clock())
    first = buckets.take(TRIGGER, "pro", {"trigger": 1})
    assert first["RateLimit-Limit"] == "1"
    assert buckets.take("/v2/subscribers", "pro", {"trigger": 1})["RateLimit-Remaining"] == "439"


def test_the_policy_header_is_formatted_as_novus() -> None:
    """It contains limit, window, burst, category, cost and plan."""
    policy = Buckets(Clock()).take(BULK, "free", {})["RateLimit-Policy"]
    assert (
        policy == '60;w=5;burst=330;comment="token bucket";category="trigger";cost="bulk";serviceLevel="free"'
    )


def test_every_path_belongs_to_a_category() -> None:
    """Events are triggers, subscribers and topics are configuration, and the rest is global."""
    paths = (TRIGGER, "/v1/subscribers/bulk", "/v2/topics/a/subscriptions", "/v1/else")
    assert [find_category(path) for path in paths] == ["trigger", "configuration", "configuration", "global"]
