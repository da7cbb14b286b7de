import pytest

from xnovu_poller.dev.standin.calls import Answer, Refusal
from xnovu_poller.dev.standin.idempotency import ANSWERED_SECONDS, IN_PROGRESS_SECONDS, Idempotency

ANSWER = Answer(201, b'{"data":1}')
BODY = {"name": "welcome", "to": "s-1"}


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_repeat_gets_the_stored_answer_marked_as_a_replay() -> None:
    """For the same key and body, the first answer is repeated byte for byte."""
    store = Idempotency(Clock())
    assert store.begin("k", BODY) is None
    assert store.finish("k", ANSWER).headers == {"Idempotency-Key": "k"}
    replay = store.begin("k", BODY)
    assert replay == ANSWER.with_headers({"Idempotency-Key": "k", "Idempotency-Replay": "true"})


def test_a_key_in_progress_is_refused_for_a_moment() -> None:
    """The answer is 409 with a pause of one second, until the first call has been answered."""
    store = Idempotency(Clock())
    store.begin("k", BODY)
    with pytest.raises(Refusal) as refused:
        store.begin("k", BODY)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (409, "1")


def test_another_body_under_a_key_is_refused() -> None:
    """The answer is 422, and the stored answer stays."""
    store = Idempotency(Clock())
    store.begin("k", BODY)
    store.finish("k", ANSWER)
    with pytest.raises(Refusal, match="reused for a different body"):
        store.begin("k", {**BODY, "to": "s-2"})
    assert store.begin("k", BODY) is not None


def test_a_key_of_more_than_255_characters_is_refused() -> None:
    """255 are accepted, 256 are not."""
    store = Idempotency(Clock())
    assert store.begin("k" * 255, BODY) is None
    with pytest.raises(Refusal) as refused:
        store.begin("k" * 256, BODY)
    assert refused.value.status == 400


def test_answers_are_kept_for_a_day_and_unanswered_keys_for_five_minutes() -> None:
    """After that the key is new again."""
    clock = Clock()
    store = Idempotency(clock)
    store.begin("unanswered", BODY)
    store.begin("answered", BODY)
    store.finish("answered", ANSWER)
    clock.now = IN_PROGRESS_SECONDS
    assert store.begin("unanswered", BODY) is None
    clock.now = ANSWERED_SECONDS - 1
    assert store.begin("answered", BODY) is not None
    clock.now = ANSWERED_SECONDS
    assert store.begin("answered", BODY) is None
