"""Machines that are broken, each in one place: what the checker has to catch."""

from typing_extensions import override

from tests.model.checker import Step
from tests.model.machine import PENDING, PROCESSING, Arrows, Poller, Row, State, Worker
from tests.model.world import Steps, World


class UnfencedRecord(Arrows):
    """Records by id and state alone."""

    @override
    def may_record(self, row: Row, worker: Worker) -> bool:
        """Whoever comes."""
        return row.status == PROCESSING


class RecordFencedByItsAttempt(Arrows):
    """Records by the attempt alone: the twin of an execution has the same one."""

    @override
    def may_record(self, row: Row, worker: Worker) -> bool:
        """By the attempt."""
        return row.status == PROCESSING and worker.mine


class ImpatientHold(Arrows):
    """Holds what a stalled twin may be sending."""

    @override
    def may_hold(self, row: Row, *, mine: bool) -> bool:
        """Whatever is being sent."""
        return mine and row.status == PROCESSING


class ImpatientRescue(Arrows):
    """Takes over as soon as the lease has lapsed, though the last send may be under way."""

    @override
    def has_lapsed(self, row: Row) -> bool:
        """By the lease alone."""
        return row.status == PROCESSING and row.lapsed

    @override
    def may_reclaim(self, row: Row) -> bool:
        """By the lease alone."""
        return row.send != "none" and row.lapsed

    @override
    def reclaim(self, row: Row, *, mine: bool) -> Row:
        """Wipe the send of the other away."""
        renewed = super().reclaim(row, mine=mine)
        return row if renewed == row else renewed._replace(send="none", doubt=True)


class DeafRescue(Arrows):
    """Takes over without asking Temporal."""

    @override
    def is_open(self, workflow: str) -> bool:
        """Nobody was asked."""
        return False


class NoRescue(Arrows):
    """Lets a lapsed lease lie."""

    @override
    def has_lapsed(self, row: Row) -> bool:
        """Nobody looks."""
        return False


class ReleaseOfABegunSend(Arrows):
    """Gives back what may have been sent."""

    @override
    def release(self, row: Row, *, mine: bool) -> Row:
        """By the attempt alone."""
        return row.ends(PENDING) if mine and row.status == PROCESSING else row


class ForgetfulLapse(Arrows):
    """Takes a send that nobody cleared for one that was not made."""

    @override
    def hold(self, row: Row) -> Row:
        """Hold without doubt."""
        return row._replace(send="live", lapsed=False)


class RashRetract(Arrows):
    """Retracts at once whatever is not being sent."""

    @override
    def retract(self, row: Row) -> Row:
        """Ask for no doubt."""
        return super().retract(row._replace(doubt=False))


class ForgetfulRevive(Arrows):
    """Forgets with the failures that an outcome is unknown."""

    @override
    def revive(self, row: Row) -> Row:
        """Begin anew."""
        return Row()


class MarkAfterStart(World):
    """Starts the workflow first and marks the row afterwards, whatever has become of it: as the original did."""

    class Unmarked(Arrows):
        """A claim leaves no trace, and an executor begins wherever it finds the row."""

        @override
        def claim(self, row: Row) -> Row:
            """Leave the row as it is."""
            return row

        @override
        def may_hold(self, row: Row, *, mine: bool) -> bool:
            """Ask for no state."""
            return row.send != "live"

        @override
        def hold(self, row: Row) -> Row:
            """Mark it, before the send."""
            return super().hold(row)._replace(status=PROCESSING)

    def __init__(self) -> None:
        super().__init__(self.Unmarked())

    @override
    def polls(self, state: State, index: int, poller: Poller) -> Steps:
        """Mark what was started."""
        if poller.at != "marking":
            for step in super().polls(state, index, poller):
                started = step.name == "start"
                marking = step.after.poller(index, Poller("marking", mine=True))
                yield step._replace(after=marking) if started else step
            return
        marked = state.row._replace(status=PROCESSING, lapsed=False)
        yield Step("mark", state.written(marked).poller(index, Poller()))
