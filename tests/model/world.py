"""The actors that take the arrows: two pollers, two workers, Temporal, Novu, people and time.

Time appears as possible next steps: a lease lapses, a send is over. The model assumes that a call ends before
the hold under which it was made, and that Novu drops a repeat of a transaction id that it knew when the call
was made. It follows the run of a former attempt only as far as the tries that have begun, because later
tries are late in the same way.
"""

from collections.abc import Iterator

from tests.model.checker import Step
from tests.model.machine import (
    DEAD,
    FAILED,
    FINAL,
    PENDING,
    PROCESSING,
    RETRACTED,
    SENT,
    Arrows,
    Poller,
    Row,
    State,
    Worker,
    late,
)
from xnovu_poller.lifecycle import LAWFUL_MOVES

_IDLE, _FREE = Poller(), Worker()
_LAWFUL = {(start.value, end.value) for start, end in LAWFUL_MOVES}

Steps = Iterator[Step[State]]


class World:
    """All possible next steps; every actor may die between any two steps.

    Args:
        arrows: the machine, correct or broken.
    """

    start = State()

    def __init__(self, arrows: Arrows) -> None:
        self.arrows = arrows

    def label(self, state: State) -> str:
        """Return the status of the row."""
        return state.row.status

    def final(self, state: State) -> bool:
        """Return whether the row is in a final state."""
        return state.row.status in FINAL

    def breach(self, state: State) -> str:  # noqa: PLR0911 - one promise after the other
        """Return the promise that a state breaks."""
        row = state.row
        if sum(worker.sends for worker in state.workers) > 1:
            return "two sends are in flight"
        if state.delivered > 1:
            return "delivered twice"
        if row.status in FINAL and (row.lapsed or row.send != "none"):
            return "the end has a lease or a send"
        if row.status == SENT and not state.accepted:
            return "SENT, but not accepted"
        if row.status == RETRACTED and state.accepted and not row.marked:
            return "RETRACTED without a mark, but accepted"
        if row.status in {PENDING, FAILED} and state.accepted and not row.doubt:
            return "forgot that it may be accepted"
        return ""

    def steps(self, state: State) -> Steps:
        """Yield every step that any actor can take next."""
        for step in self._steps(state):
            moved = (state.row.status, step.after.row.status)
            lawful = moved[0] == moved[1] or moved in _LAWFUL
            breach = step.breach if lawful else f"{moved[0]} to {moved[1]} is not lawful"
            yield Step(step.name, step.after.sorted(), breach, step.misfortune)

    def _steps(self, state: State) -> Steps:
        yield from self.time(state)
        yield from self.people(state)
        yield from self.temporal(state)
        for index, poller in enumerate(state.pollers):
            if index == 0 or poller != state.pollers[0]:
                yield from self.polls(state, index, poller)
        for index, worker in enumerate(state.workers):
            if index == 0 or worker != state.workers[0]:
                yield from self.executes(state, index, worker)

    # Time and people.

    def time(self, state: State) -> Steps:
        """Yield the steps of time: a lease lapses, or a send is over, its caller's deadline first."""
        row = state.row
        if row.status == PROCESSING and not row.lapsed:
            yield Step("the lease lapses", state.written(row._replace(lapsed=True)))
        if row.send == "live" and not any(worker.rules for worker in state.workers):
            yield Step("the send is over", state.written(row._replace(send="past")))
        for index, worker in enumerate(state.workers):
            # The deadline of a call is within its hold.
            if worker.in_time or (worker.rules and row.send == "live" and not worker.sends):
                past = row._replace(send="past") if worker.rules else row
                yield Step(
                    "the send is over", state.worker(index, worker._replace(in_time=False)).written(past)
                )

    def people(self, state: State) -> Steps:
        """Yield the steps of people: a producer withdraws, a notification expires, an operator revives it."""
        row = state.row
        retracted = self.arrows.retract(row)
        if retracted != row:
            yield Step("retract", state.written(retracted), misfortune=True)
        if row.status not in FINAL and not row.over:
            yield Step("it is over", state.written(row._replace(over=True)), misfortune=True)
        if row.status in {DEAD, RETRACTED}:
            forgotten = state._replace(accepted=False, delivered=0) if row.marked else state
            yield Step("revive", forgotten.written(self.arrows.revive(row)), misfortune=True)

    def temporal(self, state: State) -> Steps:
        """Yield the steps of Temporal: a start arrives late or never; a run tries, loses its activities, or ends."""
        if state.run == "under way":
            yield Step("the start arrives", state._replace(run="open"))
            yield Step("the start never arrives", state._replace(run="none"), misfortune=True)
        if state.run != "open":
            return
        closed = state._replace(run="closed")
        yield Step("the run ends", closed)
        lost = self.arrows.record_lost_contact(state.row)
        if lost != state.row:
            yield Step("record_lost_contact", closed.written(lost))
            yield Step(
                "record_lost_contact, the last failure", closed.written(lost.ends(DEAD)), misfortune=True
            )
        if _FREE in state.workers:
            trying = state.worker(state.workers.index(_FREE), Worker("trying", mine=True))
            yield Step("a try begins", trying)

    # Pollers.

    def polls(self, state: State, index: int, poller: Poller) -> Steps:
        """Yield the next steps of a loop or a rescuer, including its death."""
        free = state.poller(index, _IDLE)
        match poller.at:
            case "idle":
                yield from self.turns(state, index)
            case "claimed":
                yield from self.hands_off(state, index)
            case "release":
                yield Step("release", free.written(self.arrows.release(state.row, mine=poller.mine)))
            case "extend":
                yield Step(
                    "extend_lease", free.written(self.arrows.extend_lease(state.row, mine=poller.mine))
                )
            case _:
                yield from self.reclaims(state, index, poller)
        if poller.at != "idle":
            yield Step("a poller dies", free, misfortune=True)

    def turns(self, state: State, index: int) -> Steps:
        """Yield the steps of a turn: claim due rows, expire others, find lapsed rows and ask Temporal about them."""
        row = state.row
        if row.status in {PENDING, FAILED}:
            yield self._claimed("claim", state, index, self.arrows.claim(row))
        if (expired := self.arrows.expire(row)) != row:
            yield Step("expire", state.written(expired))
        if self.arrows.has_lapsed(row):
            gone = "release" if row.send == "none" else "reclaim"
            does = "extend" if self.arrows.is_open(state.run) else gone
            breach = "an open run is given up" if state.run == "open" and does == gone else ""
            yield Step(f"ask, so as to {does}", state.poller(index, Poller(does, mine=True)), breach)

    def hands_off(self, state: State, index: int) -> Steps:
        """Start the run; Temporal may refuse, or start it later without an answer."""
        fresh = state.run in {"none", "under way"}
        started = state._replace(run="open") if fresh else state
        yield Step("start", started.poller(index, _IDLE))
        refused = Poller("release", mine=True)
        yield Step("the start is refused", state.poller(index, refused), misfortune=True)
        if fresh:
            on_its_way = state._replace(run="under way")
            yield Step("the start is not answered", on_its_way.poller(index, refused), misfortune=True)
            yield Step("a poller dies", on_its_way.poller(index, _IDLE), misfortune=True)

    def reclaims(self, state: State, index: int, poller: Poller) -> Steps:
        """Take over from a sender that died, which may have been seen long ago."""
        renewed = self.arrows.reclaim(state.row, mine=poller.mine)
        if renewed == state.row:
            yield Step("reclaim, too late", state.poller(index, _IDLE))
        else:
            yield self._claimed("reclaim", state, index, renewed)

    def _claimed(self, name: str, state: State, index: int, row: Row) -> Step[State]:
        claimed = state.poller(index, _IDLE).claimed(row)
        return Step(name, claimed.poller(index, Poller("claimed", mine=True)))

    # Workers.

    def executes(self, state: State, index: int, worker: Worker) -> Steps:
        """Yield the next steps of an executor, including its death."""
        match worker.at:
            case "idle":
                return
            case "trying":
                yield from self.holds(state, index, worker)
            case "holding":
                yield from self.judges(state, index, worker)
            case "calling" | "orphaned":
                yield from self.novu(state, index, worker)
            case _:
                yield from self.records(state, index, worker)
        if worker.at == "calling":
            orphaned = Worker("orphaned", rules=worker.rules, fresh=worker.fresh)
            yield Step("a worker dies", state.worker(index, orphaned), misfortune=True)
        elif worker.at != "orphaned":
            yield Step("a worker dies", state.worker(index, _FREE), misfortune=True)

    def holds(self, state: State, index: int, worker: Worker) -> Steps:
        """Take the sole right to send, or release the claim if the gate does not let it out."""
        row, free = state.row, state.worker(index, _FREE)
        yield Step("release", free.written(self.arrows.release(row, mine=worker.mine)), misfortune=True)
        if not self.arrows.may_hold(row, mine=worker.mine):
            yield Step("hold", free)
            return
        held = self.arrows.hold(row)
        displaced = free._replace(workers=tuple(other.displaced() for other in free.workers)).written(held)
        holding = Worker(
            "holding",
            mine=True,
            rules=True,
            in_time=True,
            over=row.over,
            doubt=row.over and held.doubt,
        )
        yield Step("hold", displaced.worker(index, holding))

    def judges(self, state: State, index: int, worker: Worker) -> Steps:
        """Call Novu, unless the notification must be withdrawn, is invalid, or too little time is left."""
        if worker.over:
            certain = not worker.doubt
            yield self._record(
                "record_retracted", state, index, self.arrows.record_retracted(state.row, certain=certain)
            )
            failed = self.arrows.record_failed(state.row, doubt=False)
            yield self._record("record_failed", state, index, failed, misfortune=True)
            return
        if worker.in_time:
            calling = worker._replace(at="calling", in_time=False, fresh=not state.accepted)
            yield Step("call", state.worker(index, calling))
        yield self._record("record_dead", state, index, self.arrows.record_dead(state.row), misfortune=True)
        yield self._record("clear_hold", state, index, self.arrows.clear_hold(state.row))
        yield self._record("release_held", state, index, self.arrows.release_held(state.row))

    def novu(self, state: State, index: int, worker: Worker) -> Steps:
        """Yield Novu's steps: it accepts the call or not, answers or not, and drops a repeat that it knows."""
        delivered = min(2, state.delivered + worker.fresh)
        taken = state._replace(accepted=True, delivered=delivered)
        if worker.at == "orphaned":
            yield Step("Novu accepts, nobody hears it", taken.worker(index, _FREE))
            yield Step("the call is lost", state.worker(index, _FREE))
            return
        for name, after, answer, misfortune in (
            ("Novu accepts", taken, "accepted", False),
            ("Novu accepts, nobody hears it", taken, "unknown", True),
            ("Novu does not answer", state, "unknown", True),
            ("Novu rejects", state, "rejected", True),
            ("Novu cannot serve", state, "throttled", True),
        ):
            heard = worker._replace(at="answered", answer=answer, fresh=False)
            yield Step(name, after.worker(index, heard), misfortune=misfortune)

    def records(self, state: State, index: int, worker: Worker) -> Steps:
        """Record Novu's answer."""
        row, arrows = state.row, self.arrows
        match worker.answer:
            case "accepted":
                yield self._record("record_sent", state, index, arrows.record_sent(row))
            case "rejected":
                yield self._record("record_dead", state, index, arrows.record_dead(row))
            case "throttled":
                yield self._record("release_held", state, index, arrows.release_held(row))
                yield self._record("record_failed", state, index, arrows.record_failed(row, doubt=False))
            case _:
                yield self._record("record_unknown", state, index, arrows.record_unknown(row))
                failed = arrows.record_failed(row, doubt=True)
                yield self._record("record_failed", state, index, failed)
                yield self._record(
                    "failed, the last failure", state, index, failed.ends(DEAD), misfortune=True
                )

    def _record(
        self, name: str, state: State, index: int, row: Row, *, misfortune: bool = False
    ) -> Step[State]:
        """Record, if the machine lets this sender."""
        worker, free = state.workers[index], state.worker(index, _FREE)
        if not self.arrows.may_record(state.row, worker):
            return Step(name, free, misfortune=misfortune)
        breach = "a late writer changed the row" if late(state.row, worker) and row != state.row else ""
        return Step(name, free.written(row), breach, misfortune)
