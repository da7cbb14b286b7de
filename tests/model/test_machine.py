"""The promises hold in every state that the machine can reach, and a broken machine is caught."""

from inspect import iscoroutinefunction
from types import ModuleType

import pytest

from tests.model import broken
from tests.model.checker import LOST, check
from tests.model.holding_claims import Uncalled, UncalledHoldingClaims
from tests.model.machine import Arrows
from tests.model.world import World
from xnovu_poller.lifecycle import LAWFUL_MOVES
from xnovu_poller.store.notifications import by_claim, by_hold, by_operator, claim


def test_every_promise_holds_in_every_state() -> None:
    """None lost, none sent twice, and no late writer has an effect, even if anybody dies at any time.

    The moves of the model are those of the lifecycle; only a rescue's claim leads from PROCESSING to PROCESSING.
    """
    walked = check(World(Arrows()))

    assert walked.violation is None
    assert walked.states > 100_000
    moves = {
        (start, end) for start, name, end in walked.moves if start != end or name in {"claim", "reclaim"}
    }
    assert moves == {(start.value, end.value) for start, end in LAWFUL_MOVES}


def test_every_arrow_is_an_arrow_of_the_model() -> None:
    """If you add an arrow to the package, add it here.

    `record_cancel_answer` and `recall` are left out: one changes no state, and the other only lets a deadline pass, as time
    does in the model.
    """

    def arrows(module: ModuleType) -> set[str]:
        found = {name for name, value in vars(module).items() if iscoroutinefunction(value)}
        own = {name for name in found if vars(module)[name].__module__ == module.__name__}
        return {name for name in own if not name.startswith("_")}

    package = arrows(claim) | arrows(by_claim) | arrows(by_hold) | arrows(by_operator)
    rights = {"may_record", "may_hold", "may_reclaim", "has_lapsed", "is_open"}
    model = {name for name in vars(Arrows) if not name.startswith("_")} - rights

    assert model == package - {"record_cancel_answer", "recall"} | {"hold", "retract"}


@pytest.mark.parametrize(
    ("world", "breach"),
    [
        (World(broken.UnfencedRecord()), "a late writer changed the row"),
        (World(broken.RecordFencedByItsAttempt()), "a late writer changed the row"),
        (World(broken.ImpatientHold()), "two sends are in flight"),
        (World(broken.ImpatientRescue()), "two sends are in flight"),
        (World(broken.DeafRescue()), "an open run is given up"),
        (World(broken.NoRescue()), LOST),
        (World(broken.ReleaseOfABegunSend()), "forgot that it may be accepted"),
        (World(broken.ForgetfulLapse()), "forgot that it may be accepted"),
        (World(broken.RashRetract()), "RETRACTED without a mark, but accepted"),
        (World(broken.ForgetfulRevive()), "forgot that it may be accepted"),
        (broken.MarkAfterStart(), "RETRACTED to PROCESSING is not lawful"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(getattr(value, "arrows", value)).__name__,
)
def test_a_broken_machine_is_caught(world: World, breach: str) -> None:
    """The checker names the promise that it breaks, and the machine can really take the way shown."""
    violation = check(world).violation

    assert violation is not None
    assert violation.breach == breach
    assert violation.trace
    state = world.start
    for name, after in violation.trace:
        assert any(step.name == name and step.after == after for step in world.steps(state))
        state = after


def test_a_claim_that_held_would_leave_doubts_about_rows_that_nobody_sent() -> None:
    """ADR 25 leaves it out. Today a claimer that dies leaves no doubt, because its claim does not hold."""
    today = check(Uncalled(Arrows())).violation
    holding = check(UncalledHoldingClaims(Arrows())).violation

    assert today is None
    assert holding is not None
    assert holding.breach == "a doubt without a call"
