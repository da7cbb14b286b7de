"""The promises hold in every state that the machine can reach, and a machine that is broken is caught."""

from inspect import iscoroutinefunction
from types import ModuleType

import pytest

from tests.model import broken
from tests.model.checker import LOST, Report, check
from tests.model.machine import Arrows, State
from tests.model.world import World
from xnovu_poller.lifecycle import LAWFUL_MOVES
from xnovu_poller.store.notifications import by_claim, by_hold, by_operator, claim


@pytest.fixture(scope="module")
def walked() -> Report[State]:
    """Walk the right machine once."""
    return check(World(Arrows()))


def test_every_promise_holds_in_every_state(walked: Report[State]) -> None:
    """None lost, none sent twice, no late writer heard: whoever dies, and whenever."""
    assert walked.violation is None
    assert walked.states > 100_000


def test_the_model_moves_as_the_lifecycle_says(walked: Report[State]) -> None:
    """All lawful moves and no others; from PROCESSING to itself leads only the claim of a rescue."""
    moves = {
        (start, end) for start, name, end in walked.moves if start != end or name in {"claim", "reclaim"}
    }

    assert moves == {(start.value, end.value) for start, end in LAWFUL_MOVES}


def test_every_arrow_is_an_arrow_of_the_model() -> None:
    """Who adds one to the package adds it here; `record_cancel_answer` alone leaves the row where it is and holds nothing."""

    def arrows(module: ModuleType) -> set[str]:
        found = {name for name, one in vars(module).items() if iscoroutinefunction(one)}
        own = {name for name in found if vars(module)[name].__module__ == module.__name__}
        return {name for name in own if not name.startswith("_")}

    package = arrows(claim) | arrows(by_claim) | arrows(by_hold) | arrows(by_operator)
    rights = {"may_record", "may_hold", "may_reclaim", "has_lapsed", "is_open"}
    model = {name for name in vars(Arrows) if not name.startswith("_")} - rights

    assert model == package - {"record_cancel_answer"} | {"hold", "retract"}


@pytest.mark.parametrize(
    ("world", "breach"),
    [
        (World(broken.UnfencedRecord()), "a late writer changed the row"),
        (World(broken.RecordFencedByItsAttempt()), "a late writer changed the row"),
        (World(broken.ImpatientHold()), "two sends are in flight"),
        (World(broken.ImpatientRescue()), "two sends are in flight"),
        (World(broken.DeafRescue()), "an open workflow is given up"),
        (World(broken.NoRescue()), LOST),
        (World(broken.ReleaseOfABegunSend()), "forgot that it may be accepted"),
        (World(broken.ForgetfulLapse()), "forgot that it may be accepted"),
        (World(broken.RashRetract()), "RETRACTED without a mark, but accepted"),
        (World(broken.ForgetfulRevive()), "forgot that it may be accepted"),
        (broken.MarkAfterStart(), "RETRACTED to PROCESSING is not lawful"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(getattr(one, "arrows", one)).__name__,
)
def test_a_broken_machine_is_caught(world: World, breach: str) -> None:
    """By the promise that it breaks, with the shortest way there, which the machine can indeed go."""
    violation = check(world).violation

    assert violation is not None
    assert violation.breach == breach
    assert violation.trace
    state = world.start
    for name, after in violation.trace:
        assert any(step.name == name and step.after == after for step in world.steps(state))
        state = after
