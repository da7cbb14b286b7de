"""A claim that holds, which ADR 25 leaves out: the claimer's own executor sends without a further write of the row.

The hold of a claim is the claimer's until its run is started. If the run begins elsewhere, that try waits until the hold
is over. A start that fails gives the row back under the hold.
"""

from typing_extensions import override

from tests.model.checker import Step
from tests.model.machine import PENDING, PROCESSING, Poller, State, Worker
from tests.model.world import Steps, World

_GIVES_BACK = "give back"


class HoldingClaims(World):
    """Each claim of a due row takes the hold too; a rescue's claim does not."""

    @override
    def turns(self, state: State, index: int) -> Steps:
        """Claim and hold in one write."""
        for step in super().turns(state, index):
            if step.name == "claim":
                held = self.arrows.hold(step.after.row)
                yield step._replace(after=step.after._replace(row=held))
            else:
                yield step

    @override
    def hands_off(self, state: State, index: int) -> Steps:
        """Start the run; if it begins in this process, it is under the hold of the claim."""
        for step in super().hands_off(state, index):
            poller = step.after.pollers[index]
            if poller.at == "release":
                yield step._replace(after=step.after.poller(index, Poller(_GIVES_BACK, mine=True)))
                continue
            yield step
            if step.name == "start" and state.row.send == "live" and Worker() in state.workers:
                # It reads whether the row is withdrawn in its claim or later.
                for over in {False, state.row.over}:
                    doubt = over and state.row.doubt
                    holding = Worker("holding", mine=True, rules=True, in_time=True, over=over, doubt=doubt)
                    yield step._replace(
                        name="start here", after=step.after.worker(state.workers.index(Worker()), holding)
                    )

    @override
    def polls(self, state: State, index: int, poller: Poller) -> Steps:
        """Give a row back under the hold of its claim."""
        if poller.at != _GIVES_BACK:
            yield from super().polls(state, index, poller)
            return
        free = state.poller(index, Poller())
        ours = poller.mine and state.row.status == PROCESSING and state.row.send == "live"
        yield Step("release", free.written(state.row.ends(PENDING)) if ours else free)
        yield Step("a poller dies", free, misfortune=True)

    @override
    def holds(self, state: State, index: int, worker: Worker) -> Steps:
        """Take the hold of a claim away when it is over."""
        for step in super().holds(state, index, worker):
            if step.name == "hold" and step.after.row != state.row:
                pollers = tuple(
                    Poller("release", each.mine) if each.at == _GIVES_BACK else each
                    for each in step.after.pollers
                )
                yield step._replace(after=step.after._replace(pollers=pollers))
            else:
                yield step


class Uncalled(World):
    """Nobody calls Novu, and no executor dies or stalls: so a doubt is about a row whose claimer died."""

    @override
    def steps(self, state: State) -> Steps:
        """Leave those steps out."""
        for step in super().steps(state):
            stalls = step.name == "the send is over" and any(worker.rules for worker in state.workers)
            if not stalls and step.name not in {"call", "a worker dies"}:
                yield step

    @override
    def breach(self, state: State) -> str:
        """Return whether an outcome is in doubt."""
        return "a doubt without a call" if state.row.doubt else ""

    @override
    def final(self, state: State) -> bool:
        """Let no row be lost, because without calls none is sent."""
        return True


class UncalledHoldingClaims(Uncalled, HoldingClaims):
    """The same for claims that hold."""
