"""The state machine as a model: a single notification, and the arrows that move it.

Each arrow is one small function, named as in the package, and checks its caller's right as the SQL does.

The attempt of a row never falls, and arrows only compare it with a writer's. So a writer's attempt is either
the row's or late for ever, and the model stores only that. Attempts are unbounded, but the states are
therefore finite. Counters are reduced in the same way: an outcome is unknown or not, each failure may be the
last, and each notification may be poison. The model leaves out chunks, the cancel of a SENT notification,
flags, schedules, and the release to FAILED, which is claimed like PENDING.
"""

from typing import NamedTuple

from xnovu_poller.lifecycle import Status

PENDING, PROCESSING, SENT, FAILED, DEAD, RETRACTED = (status.value for status in Status)
FINAL = {SENT, DEAD, RETRACTED}


class Row(NamedTuple):
    """The notification, as its row describes it.

    Attributes:
        status: its state.
        lapsed: its lease has lapsed.
        send: "none"; "live" while `send_until` is in the future; then "past" until somebody clears it.
        doubt: an outcome is unknown.
        over: it is withdrawn, or has expired.
        marked: it is marked as possibly delivered.
    """

    status: str = PENDING
    lapsed: bool = False
    send: str = "none"
    doubt: bool = False
    over: bool = False
    marked: bool = False

    def ends(self, status: str) -> "Row":
        """Move to a state in which nobody holds the row."""
        return self._replace(status=status, lapsed=False, send="none")


class Poller(NamedTuple):
    """A loop or a rescuer.

    Attributes:
        at: "idle"; "claimed"; or its next action: "release", "extend", "reclaim".
        mine: its attempt is still the row's.
    """

    at: str = "idle"
    mine: bool = False

    def late(self) -> "Poller":
        """Be overtaken by a claim: a start and an extension have no effect any more, and the rest must have none."""
        does = {"claimed": "release", "extend": "idle"}.get(self.at, self.at)
        return Poller(does) if self.mine else self


class Worker(NamedTuple):
    """An executor: "idle", "trying" to hold, "holding", "calling" Novu, "answered", or "orphaned": it died in its call.

    Attributes:
        at: its position.
        mine: its attempt is still the row's.
        rules: its hold is the valid hold.
        in_time: its hold is not over yet, by its own clock.
        over: it has read that the row must be withdrawn.
        doubt: it has read that an outcome is unknown.
        fresh: Novu did not know the transaction id when the call was made.
        answer: Novu's answer.
    """

    at: str = "idle"
    mine: bool = False
    rules: bool = False
    in_time: bool = False
    over: bool = False
    doubt: bool = False
    fresh: bool = False
    answer: str = ""

    @property
    def sends(self) -> bool:
        """Whether its call is in progress."""
        return self.at in {"calling", "orphaned"}

    def late(self) -> "Worker":
        """Be overtaken by a claim."""
        return self._replace(mine=False) if self.mine else self

    def displaced(self) -> "Worker":
        """Lose the hold."""
        return self._replace(rules=False, over=False, doubt=False) if self.rules else self


class State(NamedTuple):
    """The state of the whole system.

    Attributes:
        row: the notification.
        run: the run of the row's attempt: "none", "under way" to Temporal, "open", "closed".
        accepted: Novu knows the transaction id.
        delivered: how often Novu delivered under it; two means two or more.
        pollers: the loops, in no order.
        workers: the executors, in no order.
    """

    row: Row = Row()
    run: str = "none"
    accepted: bool = False
    delivered: int = 0
    pollers: tuple[Poller, ...] = (Poller(), Poller())
    workers: tuple[Worker, ...] = (Worker(), Worker())

    def written(self, row: Row) -> "State":
        """Write the row; a hold whose `send_until` is cleared is no longer valid."""
        workers = self.workers if row.send != "none" else tuple(worker.displaced() for worker in self.workers)
        return State(row, self.run, self.accepted, self.delivered, self.pollers, workers)

    def claimed(self, row: Row) -> "State":
        """Write the row with the next attempt: every other writer of it is late from now on."""
        return self._replace(
            row=row,
            run="none",
            pollers=tuple(poller.late() for poller in self.pollers),
            workers=tuple(worker.late() for worker in self.workers),
        )

    def poller(self, index: int, poller: Poller) -> "State":
        """Replace a poller."""
        pollers = (*self.pollers[:index], poller, *self.pollers[index + 1 :])
        return State(self.row, self.run, self.accepted, self.delivered, pollers, self.workers)

    def worker(self, index: int, worker: Worker) -> "State":
        """Replace a worker."""
        workers = (*self.workers[:index], worker, *self.workers[index + 1 :])
        return State(self.row, self.run, self.accepted, self.delivered, self.pollers, workers)

    def sorted(self) -> "State":
        """Sort pollers and workers, because it makes no difference which of two they are."""
        if self.pollers[0] <= self.pollers[1] and self.workers[0] <= self.workers[1]:
            return self
        return self._replace(pollers=tuple(sorted(self.pollers)), workers=tuple(sorted(self.workers)))


def late(row: Row, worker: Worker) -> bool:
    """Return whether a sender has lost its right. This is part of the promise, so no machine overrides it."""
    return not (row.status == PROCESSING and worker.mine and worker.rules)


class Arrows:
    """The arrows: each changes the row for a caller that has the right, and for no other.

    A broken machine overrides one of them.
    """

    def may_record(self, row: Row, worker: Worker) -> bool:
        """Check the attempt and the exact hold."""
        return row.status == PROCESSING and worker.mine and worker.rules

    def may_hold(self, row: Row, *, mine: bool) -> bool:
        """Check that nobody is sending it."""
        return mine and row.status == PROCESSING and row.send != "live"

    def is_open(self, run: str) -> bool:
        """Return whether a run is open, as a rescuer learns from Temporal."""
        return run == "open"

    def has_lapsed(self, row: Row) -> bool:
        """Return whether a rescuer finds the row: its lease has lapsed, and nobody is sending it."""
        return row.status == PROCESSING and row.lapsed and row.send != "live"

    def may_reclaim(self, row: Row) -> bool:
        """Check that the last send and the lease are over."""
        return row.send == "past" and row.lapsed

    def claim(self, row: Row) -> Row:
        """PENDING or FAILED → PROCESSING: take the row, with the next attempt."""
        return row._replace(status=PROCESSING, lapsed=False)

    def release(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PENDING: release a row whose send has not begun."""
        return row.ends(PENDING) if mine and row.status == PROCESSING and row.send == "none" else row

    def extend_lease(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PROCESSING: the run is open, so extend the lease."""
        return row._replace(lapsed=False) if mine and row.status == PROCESSING else row

    def reclaim(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PROCESSING with the next attempt: the run is gone and its last send is over."""
        return (
            row._replace(lapsed=False) if mine and row.status == PROCESSING and self.may_reclaim(row) else row
        )

    def hold(self, row: Row) -> Row:
        """PROCESSING → PROCESSING: take the sole right to send; a send that nobody cleared is in doubt."""
        return row._replace(send="live", doubt=row.doubt or row.send != "none")

    def record_sent(self, row: Row) -> Row:
        """PROCESSING → SENT: Novu accepted it."""
        return row.ends(SENT)

    def record_dead(self, row: Row) -> Row:
        """PROCESSING → DEAD: no further attempt can succeed."""
        return row.ends(DEAD)

    def record_failed(self, row: Row, *, doubt: bool) -> Row:
        """PROCESSING → FAILED: another attempt may succeed."""
        return row.ends(FAILED)._replace(doubt=row.doubt or doubt)

    def release_held(self, row: Row) -> Row:
        """PROCESSING → PENDING: Novu could not serve."""
        return row.ends(PENDING)

    def record_unknown(self, row: Row) -> Row:
        """PROCESSING → PROCESSING: it may have been accepted; the next try makes the same call."""
        return row._replace(send="none", doubt=True)

    def clear_hold(self, row: Row) -> Row:
        """PROCESSING → PROCESSING: nothing was sent; the next try goes on."""
        return row._replace(send="none")

    def record_retracted(self, row: Row, *, certain: bool) -> Row:
        """PROCESSING → RETRACTED: withdrawn before its send, as far as the row can know."""
        return row.ends(RETRACTED)._replace(marked=not certain)

    def record_lost_contact(self, row: Row) -> Row:
        """PROCESSING → FAILED: the run lost contact; a sender that still sends is not disturbed."""
        if row.status != PROCESSING or row.send == "live":
            return row
        return self.record_failed(row, doubt=row.send == "past")

    def expire(self, row: Row) -> Row:
        """PENDING or FAILED → RETRACTED: it has expired, and cannot have been accepted."""
        open_ = row.status in {PENDING, FAILED} and row.over and not row.doubt
        return row.ends(RETRACTED) if open_ else row

    def retract(self, row: Row) -> Row:
        """Withdraw: at once if nothing can have been accepted, else the outcome decides."""
        if row.status in FINAL:
            return row
        at_once = row.send == "none" and not row.doubt
        return (row.ends(RETRACTED) if at_once else row)._replace(over=True)

    def revive(self, row: Row) -> Row:
        """DEAD or RETRACTED → PENDING: try again; the mark disappears with the old transaction id."""
        return Row(doubt=row.doubt and not row.marked)
