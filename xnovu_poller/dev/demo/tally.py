"""Compare the expected results of the sample notifications with the rows and the ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.dev.sample.suite import workflows
from xnovu_poller.lifecycle import Channel, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """The row of a sample notification, as it was found.

    Attributes:
        status: its state.
        attempt: how often it was claimed.
        transaction_id: the id that Novu gets; a chunk's ends in `-{chunk}`.
        due_at: its scheduled time, else the time of its insert.
        reason: the code of its error, or the reason of its retraction.
    """

    status: Status
    attempt: int
    transaction_id: str
    due_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A trigger that Novu accepted, with the subscribers that it reached."""

    transaction_id: str
    at: datetime
    channels: frozenset[Channel]
    subscribers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A sample notification, its row, and its arrivals; `row` is None if the insert was refused."""

    sample: SampleNotification
    row: FoundRow | None
    arrivals: tuple[Arrival, ...] = ()

    @property
    def found(self) -> Status | None:
        """The state that it has."""
        return None if self.row is None else self.row.status

    @property
    def is_as_expected(self) -> bool:
        """Whether it is in its expected state; if that is PENDING, it must also be unclaimed."""
        unclaimed = self.found is not Status.PENDING or (self.row is not None and self.row.attempt == 0)
        return self.found is self.sample.expected and unclaimed

    @property
    def wait(self) -> timedelta | None:
        """The time from due to the acceptance of its last chunk; None if nothing arrived."""
        if self.row is None or not self.arrivals:
            return None
        return max(arrival.at for arrival in self.arrivals) - self.row.due_at

    @property
    def reached(self) -> Counter[str]:
        """How often each subscriber was reached."""
        return Counter(subscriber for arrival in self.arrivals for subscriber in arrival.subscribers)

    @property
    def subscribers(self) -> frozenset[str]:
        """The subscribers that it must reach; topics are resolved."""
        if self.sample.expected is not Status.SENT:
            return frozenset()
        members = {topic.recipient: topic.subscribers for topic in topics()}
        return frozenset(
            subscriber for name in self.sample.recipients for subscriber in members.get(name, (name,))
        )

    @property
    def channels(self) -> frozenset[Channel]:
        """Its own channels, else its workflow's."""
        return frozenset(self.sample.channels or _default_channels(self.sample))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long notifications waited until Novu accepted them."""

    count: int
    median: timedelta
    p99: timedelta

    @classmethod
    def of(cls, waits: Iterable[timedelta]) -> "Waits | None":
        """Return count, median and 99th percentile; None if there are no waits."""
        ordered = sorted(waits)
        if not ordered:
            return None
        # The nearest rank, so that both are waits that really occurred.
        p50, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99))
        return cls(len(ordered), p50, p99)


@dataclass(frozen=True, slots=True)
class Tally:
    """The result of a demo.

    Attributes:
        results: every sample notification, in order.
        strays: transactions in the ledger that belong to no sample.
    """

    results: tuple[Result, ...]
    strays: tuple[str, ...] = ()

    @property
    def states(self) -> dict[Status, tuple[int, int]]:
        """Rows in each state: expected and found."""
        expected = Counter(each.sample.expected for each in self.results)
        found = Counter(each.found for each in self.results)
        return {state: (expected[state], found[state]) for state in Status if expected[state] or found[state]}

    @property
    def refused(self) -> tuple[int, int]:
        """Refused inserts: expected and found."""
        return (
            sum(each.sample.is_refused_at_insert for each in self.results),
            sum(each.row is None for each in self.results),
        )

    @property
    def deliveries(self) -> dict[Channel, tuple[int, int]]:
        """Messages in each channel: expected and found."""
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
        """Claims of all rows."""
        return sum(each.row.attempt for each in self.results if each.row)

    def waits(self, *, scheduled: bool) -> Waits | None:
        """Return the waits of the scheduled notifications, or of those that were due at once."""
        return Waits.of(
            each.wait
            for each in self.results
            if each.wait is not None and scheduled is (each.sample.schedule_after is not None)
        )

    @property
    def differences(self) -> list[str]:
        """One sentence for each difference; empty if all is as expected."""
        return [
            *(f"{result.sample.name}: {fault}" for result in self.results for fault in _differences(result)),
            *(f"{transaction}: reached Novu but belongs to no notification" for transaction in self.strays),
        ]


def compare(rows: Sequence[tuple[SampleNotification, FoundRow | None]], arrivals: Iterable[Arrival]) -> Tally:
    """Join each sample's row with its triggers in the ledger."""
    by_transaction: dict[str, list[Arrival]] = {row.transaction_id: [] for _, row in rows if row}
    strays = []
    for arrival in arrivals:
        id_ = arrival.transaction_id
        owner = by_transaction.get(id_, by_transaction.get(id_.rpartition("-")[0]))
        if owner is None:
            strays.append(id_)
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
        yield f"must be {_name_state(result.sample.expected)}, is {_describe(row)}"
    missed = result.subscribers - reached.keys()
    if missed and result.found is Status.SENT:
        yield f"{len(missed)} of {len(result.subscribers)} recipients were not reached"
    if unexpected := reached.keys() - result.subscribers:
        yield f"{len(unexpected)} subscribers were reached who must not be"
    if repeated := [subscriber for subscriber, times in reached.items() if times > 1]:
        yield f"{len(repeated)} subscribers were reached more than once"
    if any(arrival.channels != result.channels for arrival in result.arrivals):
        yield "went out in the wrong channels"
    if row and any(arrival.at < row.due_at - CLOCK_STEP for arrival in result.arrivals):
        yield "was sent before it was due"


CLOCK_STEP = timedelta(milliseconds=1)
"""The ledger's clock counts milliseconds, PostgreSQL's microseconds."""


def _name_state(status: Status | None) -> str:
    return "refused at insert" if status is None else str(status)


def _describe(row: FoundRow | None) -> str:
    if row is None:
        return _name_state(None)
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.status}{reason} after {row.attempt} claims"


def _default_channels(sample: SampleNotification) -> Iterable[Channel]:
    found: Mapping[str | None, Iterable[Channel]] = {
        each.enterprise_id: each.default_channels
        for each in workflows()
        if each.workflow_key == sample.workflow_key
    }
    return found.get(sample.enterprise_id) or found[None]
