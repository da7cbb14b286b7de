"""Compare the committed notifications with the table and the ledger: nothing lost, sent twice or left behind."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from xnovu_poller.dev.demo.tally import Arrival
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.lifecycle import Status

FINAL = frozenset({Status.SENT, Status.DEAD, Status.RETRACTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row after the run.

    Attributes:
        reason: the code of its error, or why it was retracted.
        unknown: it is marked: its delivery is unknown.
        held: it still has a lease or a live send.
        attempt: how often it was claimed.
    """

    status: Status
    reason: str | None = None
    unknown: bool = False
    held: bool = False
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the comparison; each fault is a sentence.

    Attributes:
        rows: how many were committed.
        deliveries: how often recipients were reached.
        repeats: triggers that Novu dropped because it knew their transaction id.
        claims: how often rows were claimed.
        states: how many rows are in each state, with the reason if they are not SENT.
        lost: committed and not delivered, with no state that explains it.
        duplicates: recipients that were reached more than once.
        untrue: delivered, although the row is RETRACTED without the mark, or although there is no such row.
        unsettled: rows that have not ended.
        held: rows that still have a lease or a live send.
    """

    rows: int
    deliveries: int
    repeats: int
    claims: int
    states: Counter[tuple[str, str]]
    lost: tuple[str, ...]
    duplicates: tuple[str, ...]
    untrue: tuple[str, ...]
    unsettled: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """All faults."""
        return (*self.lost, *self.duplicates, *self.untrue, *self.unsettled, *self.held)


def judge(
    committed: Mapping[str, SampleNotification], rows: Mapping[str, Row], arrivals: Iterable[Arrival]
) -> Verdict:
    """Compare the committed notifications, the table and the ledger.

    Args:
        committed: the notifications that the producer committed, by dedup key. No two share a recipient, so a
            subscriber identifies a delivery, under any transaction id.
        rows: the table, by dedup key.
        arrivals: the ledger.
    """
    ledger = list(arrivals)
    reached = Counter(subscriber for arrival in ledger for subscriber in arrival.subscribers)
    known = {key: rows[key] for key in committed if key in rows}
    return Verdict(
        rows=len(committed),
        deliveries=reached.total(),
        repeats=sum(not arrival.subscribers for arrival in ledger),
        claims=sum(row.attempt for row in known.values()),
        states=Counter(
            (row.status.value, "" if row.status is Status.SENT else row.reason or "")
            for row in known.values()
        ),
        lost=tuple(_lost(committed, rows, reached)),
        duplicates=tuple(
            f"{subscriber}: reached {times} times" for subscriber, times in reached.items() if times > 1
        ),
        untrue=tuple(_untrue(committed, rows, reached)),
        unsettled=tuple(
            f"{key}: still {row.status} ({row.reason})"
            for key, row in rows.items()
            if row.status not in FINAL
        ),
        held=tuple(f"{key}: {row.status}, and held" for key, row in rows.items() if row.held),
    )


def _lost(
    committed: Mapping[str, SampleNotification], rows: Mapping[str, Row], reached: Counter[str]
) -> Iterator[str]:
    for key, sample in committed.items():
        row = rows.get(key)
        if row is None:
            yield f"{key}: was committed, and has no row"
        elif row.status is Status.SENT:
            yield from (
                f"{key}: SENT, but {recipient} was not reached"
                for recipient in sample.recipients
                if not reached[recipient]
            )
        elif row.status is Status.DEAD and row.reason is None:
            yield f"{key}: DEAD without a reason"
        elif row.status is Status.RETRACTED and not (sample.retract or sample.expires_after):
            yield f"{key}: RETRACTED, though nobody withdrew it and it does not expire"


def _untrue(
    committed: Mapping[str, SampleNotification], rows: Mapping[str, Row], reached: Counter[str]
) -> Iterator[str]:
    for key, sample in committed.items():
        row = rows.get(key)
        if row is not None and row.status is Status.RETRACTED and not row.unknown:
            yield from (
                f"{key}: RETRACTED, but {recipient} was reached"
                for recipient in sample.recipients
                if reached[recipient]
            )
    expected = {recipient for sample in committed.values() for recipient in sample.recipients}
    yield from (
        f"{subscriber}: reached, but belongs to no notification" for subscriber in reached.keys() - expected
    )
