"""A fault of one notification becomes its own verdict, and no other's."""

from dataclasses import replace

import pytest

from tests.support.held import HELD
from xnovu_poller.delivery.stages import nothing_sent, partition, prepare, watch
from xnovu_poller.errors import Poison, StoreUnavailable
from xnovu_poller.lifecycle import Attempt, Hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

OTHER = replace(HELD, hold=Hold(Attempt(2, 1), HELD.hold.until))
AWAY = StoreUnavailable("database: does not answer")


def fail(error: Exception) -> object:
    """Fail as a stage does."""
    raise error


async def sending(error: Exception | None = None) -> list[Verdict]:
    """Send, or fail."""
    if error is not None:
        raise error
    return [Verdict(Ending.SENT, HELD)]


def test_results_are_parted_from_verdicts_in_their_order() -> None:
    """The next stage gets the former alone."""
    first, second = Verdict(Ending.DEAD, HELD), Verdict(Ending.FAILED, OTHER)

    assert partition([1, first, 2, second]) == ([1, 2], [first, second])


def test_a_stage_gives_its_result() -> None:
    """Nothing went wrong."""
    assert prepare(HELD, lambda: 5) == 5


def test_an_error_of_ours_is_the_end_of_its_notification() -> None:
    """No attempt can mend what is unfit."""
    verdict = prepare(HELD, lambda: fail(Poison(4)))

    assert isinstance(verdict, Verdict)
    assert (verdict.ending, verdict.held, verdict.code) == (Ending.DEAD, HELD, "poison")


def test_a_bug_in_a_stage_is_a_failed_attempt() -> None:
    """Nothing was sent, and its message is not told."""
    verdict = prepare(HELD, lambda: fail(ValueError("secret")))

    assert isinstance(verdict, Verdict)
    assert (verdict.ending, verdict.unknown) == (Ending.FAILED, False)
    assert verdict.error is not None
    assert verdict.error.message == "a bug: ValueError"


def test_what_was_not_sent_says_so() -> None:
    """Each is left to the next try."""
    verdicts = nothing_sent([HELD, OTHER], AWAY)

    assert [(one.ending, one.held, one.unknown) for one in verdicts] == [
        (Ending.UNFINISHED, HELD, False),
        (Ending.UNFINISHED, OTHER, False),
    ]


async def test_what_goes_well_is_not_touched() -> None:
    """The verdicts are those of the work."""
    assert await watch([HELD], sending(), sends=True) == [Verdict(Ending.SENT, HELD)]


@pytest.mark.parametrize(
    ("error", "sends", "ending"),
    [
        (AWAY, True, Ending.UNKNOWN),
        (AWAY, False, Ending.UNFINISHED),
        (ValueError("secret"), True, Ending.FAILED),
        (ValueError("secret"), False, Ending.FAILED),
    ],
    ids=str,
)
async def test_a_fault_is_of_the_whole_call_and_may_have_sent(
    error: Exception, ending: Ending, *, sends: bool
) -> None:
    """Each of the call's notifications gets a verdict; what may have been sent is unknown."""
    verdicts = await watch([HELD, OTHER], sending(error), sends=sends)

    assert [(one.ending, one.held, one.unknown) for one in verdicts] == [
        (ending, HELD, sends),
        (ending, OTHER, sends),
    ]
