"""Ask Novu what became of accepted triggers: what it did for their subscribers, step by step. Source: Novu, "List all events"."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from xnovu_poller.errors import NovuUnanswered
from xnovu_poller.novu import answers
from xnovu_poller.novu.calls import Client

PER_PAGE = 50

MOST_PAGES, MOST_TRIGGERS = 4, 5
"""Look at this many pages of each trigger, and at this many triggers: a story needs an impression, not a count of millions."""


@dataclass(frozen=True, slots=True)
class StepActivity:
    """What Novu did in a step, for some subscribers.

    Attributes:
        kind: the channel, or digest or delay.
        status: Novu's word for the step, such as completed or failed.
        detail: Novu's last sentence on it; it names no subscriber.
        subscribers: for how many.
    """

    kind: str
    status: str
    detail: str | None
    provider: str | None
    subscribers: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What Novu did with the triggers of a notification.

    Attributes:
        subscribers: how many were looked at; 0 if Novu knows none of the triggers, or they reached nobody.
        complete: whether these are all.
    """

    subscribers: int
    complete: bool
    steps: list[StepActivity]


async def read_activity(novu: Client, transaction_ids: Sequence[str]) -> Activity:
    """Read what Novu did with triggers.

    Raises:
        NovuError: Novu does not answer, does not allow the key to see it, or answers in another form.
    """
    entries: list[Mapping[str, Any]] = []
    complete = len(transaction_ids) <= MOST_TRIGGERS
    for transaction_id in transaction_ids[:MOST_TRIGGERS]:
        found, whole = await _read_trigger(novu, transaction_id)
        entries += found
        complete &= whole
    steps = Counter(step for entry in entries for step in _steps(entry))
    return Activity(
        subscribers=len(entries),
        complete=complete,
        steps=[StepActivity(*step, subscribers=count) for step, count in sorted(steps.items(), key=repr)],
    )


async def _read_trigger(novu: Client, transaction_id: str) -> tuple[list[Mapping[str, Any]], bool]:
    """Return what Novu did for each subscriber of a trigger, and whether these are all."""
    entries: list[Mapping[str, Any]] = []
    for page in range(MOST_PAGES):
        query = urlencode({"transactionId": transaction_id, "limit": PER_PAGE, "page": page})
        found = answers.read_content(await novu.send("GET", f"v1/notifications?{query}"))
        if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
            raise NovuUnanswered("malformed answer")
        entries += found
        if len(found) < PER_PAGE:
            return entries, True
    return entries, False


def _steps(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yield kind, status, last sentence and provider of each step for one subscriber."""
    for job in _objects(entry.get("jobs")):
        kind = _word(job.get("type")) or "step"
        if kind == "trigger":
            continue
        details = _objects(job.get("executionDetails"))
        last = details[-1] if details else {}
        yield (
            kind,
            _word(job.get("status")) or "unknown",
            _word(last.get("detail")),
            _word(job.get("providerId")),
        )


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, Iterable) else []


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
