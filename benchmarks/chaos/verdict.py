"""Compares what was promised with the table and the ledger: nothing lost, nothing sent twice, nothing left behind."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from xnovu_poller.dev.demo.tally import Arrival
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.lifecycle import Status

FINAL = frozenset({Status.SENT, Status.DEAD, Status.RETRACTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a row says in the end.

    Attributes:
        status: where it stands.
        reason: the code of its error, or why it was retracted.
        unknown: it says that something may have gone out.
        held: a lease or a live send is left on it.
        attempt: how often it was claimed.
    """

    status: Status
    reason: str | None = None
    unknown: bool = False
    held: bool = False
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of all notifications; each fault is a sentence.

    Attributes:
        rows: how many were committed.
        deliveries: how often a recipient was reached.
        repeats: triggers that Novu accepted again under a transaction id it knew, and so dropped.
        claims: how often a row was claimed.
        states: how many rows are in each state, with the reason where it is not SENT.
        lost: promised and not delivered, with no state that says why.
        duplicates: recipients reached more than once.
        untrue: delivered, though the row says that it was withdrawn in time, or though there is no such row.
        unsettled: rows that have not come to their end.
        held: rows with a lease or a live send left behind.
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
        """All of them."""
        return (*self.lost, *self.duplicates, *self.untrue, *self.unsettled, *self.held)


def judge(
    committed: Mapping[str, SampleNotification], rows: Mapping[str, Row], arrivals: Iterable[Arrival]
) -> Verdict:
    """Bring promises, table and ledger together.

    Args:
        committed: what the producer knows to be committed, by dedup key. No two notifications share a
            recipient: so a delivery is known by its subscriber, whatever transaction id it came under.
        rows: the table, by dedup key.
        arrivals: the ledger.
    """
    ledger = list(arrivals)
    reached = Counter(one for arrival in ledger for one in arrival.subscribers)
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
        duplicates=tuple(f"{one}: reached {times} times" for one, times in reached.items() if times > 1),
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
                f"{key}: SENT, but {one} was not reached" for one in sample.recipients if not reached[one]
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
                f"{key}: RETRACTED, but {one} was reached" for one in sample.recipients if reached[one]
            )
    promised = {one for sample in committed.values() for one in sample.recipients}
    yield from (f"{one}: reached, and belongs to no notification" for one in reached.keys() - promised)
