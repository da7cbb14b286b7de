"""Machines that are each broken in one place, which the checker must catch."""

from typing_extensions import override

from tests.model.checker import Step
from tests.model.machine import PENDING, PROCESSING, Arrows, Poller, Row, State, Worker
from tests.model.world import Steps, World


class UnfencedRecord(Arrows):
    """Records by id and state only."""

    @override
    def may_record(self, row: Row, worker: Worker) -> bool:
        """Let any sender record."""
        return row.status == PROCESSING


class RecordFencedByItsAttempt(Arrows):
    """Records by the attempt only, which a second activity of the same run has too."""

    @override
    def may_record(self, row: Row, worker: Worker) -> bool:
        """Check only the attempt."""
        return row.status == PROCESSING and worker.mine


class ImpatientHold(Arrows):
    """Holds a notification that a stalled sender may still be sending."""

    @override
    def may_hold(self, row: Row, *, mine: bool) -> bool:
        """Ignore a live send."""
        return mine and row.status == PROCESSING


class ImpatientRescue(Arrows):
    """Takes over as soon as the lease has lapsed, although the last send may be in progress."""

    @override
    def has_lapsed(self, row: Row) -> bool:
        """Check only the lease."""
        return row.status == PROCESSING and row.lapsed

    @override
    def may_reclaim(self, row: Row) -> bool:
        """Check only the lease."""
        return row.send != "none" and row.lapsed

    @override
    def reclaim(self, row: Row, *, mine: bool) -> Row:
        """Clear the send of the other worker."""
        renewed = super().reclaim(row, mine=mine)
        return row if renewed == row else renewed._replace(send="none", doubt=True)


class DeafRescue(Arrows):
    """Takes over without asking Temporal."""

    @override
    def is_open(self, run: str) -> bool:
        """Treat every run as closed."""
        return False


class NoRescue(Arrows):
    """Never rescues a lapsed lease."""

    @override
    def has_lapsed(self, row: Row) -> bool:
        """Find nothing."""
        return False


class ReleaseOfABegunSend(Arrows):
    """Releases a notification that may have been sent."""

    @override
    def release(self, row: Row, *, mine: bool) -> Row:
        """Check only the attempt."""
        return row.ends(PENDING) if mine and row.status == PROCESSING else row


class ForgetfulLapse(Arrows):
    """Treats a send that nobody cleared as not made."""

    @override
    def hold(self, row: Row) -> Row:
        """Hold without recording doubt."""
        return row._replace(send="live")


class RashRetract(Arrows):
    """Retracts at once any notification that is not being sent."""

    @override
    def retract(self, row: Row) -> Row:
        """Ignore doubt."""
        return super().retract(row._replace(doubt=False))


class ForgetfulRevive(Arrows):
    """Forgets an unknown outcome together with the failures."""

    @override
    def revive(self, row: Row) -> Row:
        """Start with a new row."""
        return Row()


class MarkAfterStart(World):
    """Starts the run first and then marks the row, in any state, as the predecessor did."""

    class Unmarked(Arrows):
        """A claim changes nothing, and an executor starts in any state."""

        @override
        def claim(self, row: Row) -> Row:
            """Leave the row as it is."""
            return row

        @override
        def may_hold(self, row: Row, *, mine: bool) -> bool:
            """Ignore the state."""
            return row.send != "live"

        @override
        def hold(self, row: Row) -> Row:
            """Mark the row before the send."""
            return super().hold(row)._replace(status=PROCESSING)

    def __init__(self) -> None:
        super().__init__(self.Unmarked())

    @override
    def polls(self, state: State, index: int, poller: Poller) -> Steps:
        """Mark the row of a started run."""
        if poller.at != "marking":
            for step in super().polls(state, index, poller):
                started = step.name == "start"
                marking = step.after.poller(index, Poller("marking", mine=True))
                yield step._replace(after=marking) if started else step
            return
        marked = state.row._replace(status=PROCESSING, lapsed=False)
        yield Step("mark", state.written(marked).poller(index, Poller()))
