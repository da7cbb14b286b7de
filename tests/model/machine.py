"""The state machine as a model: what there is to one notification, and the arrows that move it.

Each arrow is one small function, named as in the package; its right is checked within, as in SQL.

An attempt is compared with the row's alone and never falls: so a writer's is either the row's own or late for
ever, and that is all that is kept of it. For the same reason the states are finite though attempts are not
bounded. Counters are kept as far as an arrow asks for them: whether an outcome is unknown, and not how often;
each failure may be the last, and each notification poison. Left out: chunks, the cancel of what is SENT, flags
and schedules, and that a release leads to FAILED where the row came from there, for both are claimed alike.
"""

from typing import NamedTuple

from xnovu_poller.lifecycle import Status

PENDING, PROCESSING, SENT, FAILED, DEAD, RETRACTED = (status.value for status in Status)
FINAL = {SENT, DEAD, RETRACTED}


class Row(NamedTuple):
    """The notification, as its row tells of it.

    Attributes:
        status: its state.
        lapsed: its lease has run out.
        send: "none", "live" while `send_until` lies ahead, then "past" until somebody clears it.
        doubt: an outcome is unknown.
        over: it is withdrawn, or has expired.
        marked: it says that its delivery is unknown.
    """

    status: str = PENDING
    lapsed: bool = False
    send: str = "none"
    doubt: bool = False
    over: bool = False
    marked: bool = False

    def ends(self, status: str) -> "Row":
        """Come to an end, or to a wait: nobody holds the row any more."""
        return self._replace(status=status, lapsed=False, send="none")


class Poller(NamedTuple):
    """A loop or a rescuer.

    Attributes:
        at: "idle"; "claimed"; or what it is about to do: "release", "extend", "reclaim".
        mine: the attempt that it knows is still the row's.
    """

    at: str = "idle"
    mine: bool = False

    def late(self) -> "Poller":
        """Be overtaken by a claim: a start or a longer lease can do no harm any more, the rest must not."""
        does = {"claimed": "release", "extend": "idle"}.get(self.at, self.at)
        return Poller(does) if self.mine else self


class Worker(NamedTuple):
    """An executor: "idle", "trying" to hold, "holding", "calling" Novu, "answered"; or "orphaned": it died in its call.

    Attributes:
        at: where it stands.
        mine: the attempt that it knows is still the row's.
        rules: its hold is the one that stands.
        in_time: its hold is not over yet, by its own clock.
        over: it has read that the row is to be withdrawn.
        doubt: it has read that an outcome is unknown.
        fresh: Novu did not know the transaction id when the call was made.
        answer: what Novu said.
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
        """Whether its call is under way."""
        return self.at in {"calling", "orphaned"}

    def late(self) -> "Worker":
        """Be overtaken by a claim."""
        return self._replace(mine=False) if self.mine else self

    def displaced(self) -> "Worker":
        """Have a hold that stands no more."""
        return self._replace(rules=False, over=False, doubt=False) if self.rules else self


class State(NamedTuple):
    """Everything.

    Attributes:
        row: the notification.
        workflow: of the row's attempt: "none", "under way" to Temporal, "open", "closed".
        accepted: Novu knows the transaction id.
        delivered: how often Novu delivered under it: two stand for more.
        pollers: the loops, in no order.
        workers: the executors, in no order.
    """

    row: Row = Row()
    workflow: str = "none"
    accepted: bool = False
    delivered: int = 0
    pollers: tuple[Poller, ...] = (Poller(), Poller())
    workers: tuple[Worker, ...] = (Worker(), Worker())

    def written(self, row: Row) -> "State":
        """Write the row; a hold whose `send_until` is cleared stands no more."""
        workers = self.workers if row.send != "none" else tuple(one.displaced() for one in self.workers)
        return State(row, self.workflow, self.accepted, self.delivered, self.pollers, workers)

    def claimed(self, row: Row) -> "State":
        """Write the row one attempt further: every other writer of it is late from now on."""
        return self._replace(
            row=row,
            workflow="none",
            pollers=tuple(one.late() for one in self.pollers),
            workers=tuple(one.late() for one in self.workers),
        )

    def poller(self, index: int, poller: Poller) -> "State":
        """Put a poller in its place."""
        pollers = (*self.pollers[:index], poller, *self.pollers[index + 1 :])
        return State(self.row, self.workflow, self.accepted, self.delivered, pollers, self.workers)

    def worker(self, index: int, worker: Worker) -> "State":
        """Put a worker in its place."""
        workers = (*self.workers[:index], worker, *self.workers[index + 1 :])
        return State(self.row, self.workflow, self.accepted, self.delivered, self.pollers, workers)

    def sorted(self) -> "State":
        """Stand in order: which of two pollers or workers it is makes no difference."""
        if self.pollers[0] <= self.pollers[1] and self.workers[0] <= self.workers[1]:
            return self
        return self._replace(pollers=tuple(sorted(self.pollers)), workers=tuple(sorted(self.workers)))


def late(row: Row, worker: Worker) -> bool:
    """Whether the right of a sender is gone; this is the promise, and no machine overrides it."""
    return not (row.status == PROCESSING and worker.mine and worker.rules)


class Arrows:
    """The arrows: what each does to the row of whoever has the right, and to nobody else's.

    A broken machine overrides what it breaks.
    """

    def may_record(self, row: Row, worker: Worker) -> bool:
        """By the attempt and by the very hold."""
        return row.status == PROCESSING and worker.mine and worker.rules

    def may_hold(self, row: Row, *, mine: bool) -> bool:
        """Nobody is sending it."""
        return mine and row.status == PROCESSING and row.send != "live"

    def is_open(self, workflow: str) -> bool:
        """What a rescuer knows of a workflow: it asks Temporal."""
        return workflow == "open"

    def has_lapsed(self, row: Row) -> bool:
        """Whether a rescuer looks at it: its lease has run out, and nobody is sending it."""
        return row.status == PROCESSING and row.lapsed and row.send != "live"

    def may_reclaim(self, row: Row) -> bool:
        """The last send is over, and so is the lease."""
        return row.send == "past" and row.lapsed

    def claim(self, row: Row) -> Row:
        """PENDING or FAILED → PROCESSING: take it, one attempt further."""
        return row._replace(status=PROCESSING, lapsed=False)

    def release(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PENDING: give back what was not begun."""
        return row.ends(PENDING) if mine and row.status == PROCESSING and row.send == "none" else row

    def extend_lease(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PROCESSING: the workflow is open, so the lease goes on."""
        return row._replace(lapsed=False) if mine and row.status == PROCESSING else row

    def reclaim(self, row: Row, *, mine: bool) -> Row:
        """PROCESSING → PROCESSING, one attempt further: the workflow is gone and its last send is over."""
        return (
            row._replace(lapsed=False) if mine and row.status == PROCESSING and self.may_reclaim(row) else row
        )

    def hold(self, row: Row) -> Row:
        """PROCESSING → PROCESSING: take the sole right to send; a send that nobody cleared is in doubt."""
        return row._replace(send="live", lapsed=False, doubt=row.doubt or row.send != "none")

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
        """PROCESSING → FAILED: the workflow has heard no more; whoever sends is left alone."""
        if row.status != PROCESSING or row.send == "live":
            return row
        return self.record_failed(row, doubt=row.send == "past")

    def expire(self, row: Row) -> Row:
        """PENDING or FAILED → RETRACTED: what is over, and cannot have been accepted."""
        open_ = row.status in {PENDING, FAILED} and row.over and not row.doubt
        return row.ends(RETRACTED) if open_ else row

    def retract(self, row: Row) -> Row:
        """Withdraw: at once where nothing can have been accepted, else the outcome decides."""
        if row.status in FINAL:
            return row
        at_once = row.send == "none" and not row.doubt
        return (row.ends(RETRACTED) if at_once else row)._replace(over=True)

    def revive(self, row: Row) -> Row:
        """DEAD or RETRACTED → PENDING: take it up again; the mark goes with the old transaction id."""
        return Row(doubt=row.doubt and not row.marked)
