"""Compares what the sample notifications have to come to with what the rows and the ledger say."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.dev.sample.suite import workflows
from xnovu_poller.lifecycle import Channel, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the row of a sample notification says.

    Attributes:
        status: where it stands.
        attempt: how often it was claimed.
        transaction_id: under which Novu gets it; a chunk's has `-{chunk}` behind it.
        due_at: when it was inserted, or for when it was scheduled.
        reason: the code of its error, or why it was retracted.
    """

    status: Status
    attempt: int
    transaction_id: str
    due_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A trigger that Novu accepted; `subscribers` are those whom it reached."""

    transaction_id: str
    at: datetime
    channels: frozenset[Channel]
    subscribers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A sample notification, its row, and its arrivals; no row: its insert was refused."""

    sample: SampleNotification
    row: Row | None
    arrivals: tuple[Arrival, ...] = ()

    @property
    def found(self) -> Status | None:
        """Where it stands."""
        return None if self.row is None else self.row.status

    @property
    def is_as_expected(self) -> bool:
        """Whether it stands where it has to; what is to stay PENDING must not have been claimed."""
        unclaimed = self.found is not Status.PENDING or (self.row is not None and self.row.attempt == 0)
        return self.found is self.sample.expected and unclaimed

    @property
    def wait(self) -> timedelta | None:
        """From due to accepted, by the last of its chunks; None if nothing arrived."""
        if self.row is None or not self.arrivals:
            return None
        return max(arrival.at for arrival in self.arrivals) - self.row.due_at

    @property
    def reached(self) -> Counter[str]:
        """How often each subscriber was reached."""
        return Counter(one for arrival in self.arrivals for one in arrival.subscribers)

    @property
    def subscribers(self) -> frozenset[str]:
        """Who has to be reached, topics resolved."""
        if self.sample.expected is not Status.SENT:
            return frozenset()
        members = {topic.recipient: topic.subscribers for topic in topics()}
        return frozenset(one for name in self.sample.recipients for one in members.get(name, (name,)))

    @property
    def channels(self) -> frozenset[Channel]:
        """In which channels: its own, else its workflow's."""
        return frozenset(self.sample.channels or _default_channels(self.sample))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long notifications waited until Novu had accepted them."""

    count: int
    median: timedelta
    p99: timedelta

    @classmethod
    def of(cls, waits: Iterable[timedelta]) -> "Waits | None":
        """Sum up; None if there is nothing to sum up."""
        ordered = sorted(waits)
        if not ordered:
            return None
        # The nearest rank: a wait that really was.
        p50, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99))
        return cls(len(ordered), p50, p99)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the demo came to.

    Attributes:
        results: every sample notification, in their order.
        strays: transactions in the ledger that belong to none of them.
    """

    results: tuple[Result, ...]
    strays: tuple[str, ...] = ()

    @property
    def states(self) -> dict[Status, tuple[int, int]]:
        """How many are in each state: expected and found."""
        expected = Counter(each.sample.expected for each in self.results)
        found = Counter(each.found for each in self.results)
        return {state: (expected[state], found[state]) for state in Status if expected[state] or found[state]}

    @property
    def refused(self) -> tuple[int, int]:
        """How many inserts were refused: expected and found."""
        return (
            sum(each.sample.refused_at_insert for each in self.results),
            sum(each.row is None for each in self.results),
        )

    @property
    def deliveries(self) -> dict[Channel, tuple[int, int]]:
        """How many messages in each channel: expected and found."""
        expected: Counter[Channel] = Counter()
        found: Counter[Channel] = Counter()
        for each in self.results:
            for channel in each.channels:
                expected[channel] += len(each.subscribers)
            for arrival in each.arrivals:
                found.update(dict.fromkeys(arrival.channels, len(arrival.subscribers)))
        return {channel: (expected[channel], found[channel]) for channel in Channel}

    @property
    def claims(self) -> int:
        """How often a row was claimed."""
        return sum(each.row.attempt for each in self.results if each.row)

    def waits(self, *, scheduled: bool) -> Waits | None:
        """How long those waited that were due at once, or at a later time."""
        return Waits.of(
            each.wait
            for each in self.results
            if each.wait is not None and scheduled is (each.sample.schedule_after is not None)
        )

    @property
    def differences(self) -> list[str]:
        """What is not as it has to be, one sentence each; none: all is well."""
        return [
            *(f"{each.sample.name}: {what}" for each in self.results for what in _differences(each)),
            *(f"{transaction}: reached Novu, and belongs to no notification" for transaction in self.strays),
        ]


def tally(rows: Sequence[tuple[SampleNotification, Row | None]], arrivals: Iterable[Arrival]) -> Tally:
    """Bring rows and ledger together."""
    by_transaction: dict[str, list[Arrival]] = {row.transaction_id: [] for _, row in rows if row}
    strays = []
    for arrival in arrivals:
        whole = arrival.transaction_id
        owner = by_transaction.get(whole, by_transaction.get(whole.rpartition("-")[0]))
        if owner is None:
            strays.append(whole)
        else:
            owner.append(arrival)
    return Tally(
        tuple(
            Result(sample, row, tuple(by_transaction[row.transaction_id]) if row else ())
            for sample, row in rows
        ),
        tuple(strays),
    )


def _differences(result: Result) -> Iterator[str]:
    row, reached = result.row, result.reached
    if not result.is_as_expected:
        yield f"has to be {_word(result.sample.expected)}, is {_told(row)}"
    missed = result.subscribers - reached.keys()
    if missed and result.found is Status.SENT:
        yield f"{len(missed)} of {len(result.subscribers)} recipients were not reached"
    if strangers := reached.keys() - result.subscribers:
        yield f"{len(strangers)} subscribers were reached who must not be"
    if repeated := [one for one, times in reached.items() if times > 1]:
        yield f"{len(repeated)} subscribers were reached more than once"
    if any(arrival.channels != result.channels for arrival in result.arrivals):
        yield "went out in other channels than it names"
    if row and any(arrival.at < row.due_at - CLOCK_STEP for arrival in result.arrivals):
        yield "was sent before it was due"


CLOCK_STEP = timedelta(milliseconds=1)
"""The ledger's clock counts milliseconds, PostgreSQL's microseconds."""


def _word(status: Status | None) -> str:
    return "refused at its insert" if status is None else str(status)


def _told(row: Row | None) -> str:
    if row is None:
        return _word(None)
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.status}{reason} after {row.attempt} claims"


def _default_channels(sample: SampleNotification) -> Iterable[Channel]:
    found: Mapping[str | None, Iterable[Channel]] = {
        each.enterprise_id: each.default_channels
        for each in workflows()
        if each.workflow_key == sample.workflow_key
    }
    return found.get(sample.enterprise_id) or found[None]
