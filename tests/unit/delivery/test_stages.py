"""An error of one notification becomes a verdict on that notification only."""

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
    """Raise the error, as a stage does."""
    raise error


async def sending(error: Exception | None = None) -> list[Verdict]:
    """Send, or raise the error."""
    if error is not None:
        raise error
    return [Verdict(Ending.SENT, HELD)]


def test_results_and_verdicts_are_separated_in_order() -> None:
    """Only the results go on to the next stage."""
    first, second = Verdict(Ending.DEAD, HELD), Verdict(Ending.FAILED, OTHER)

    assert partition([1, first, 2, second]) == ([1, 2], [first, second])


def test_a_stage_without_an_error_returns_its_result() -> None:
    """It makes no verdict."""
    assert prepare(HELD, lambda: 5) == 5


def test_an_error_of_ours_ends_its_notification() -> None:
    """No further attempt could succeed."""
    verdict = prepare(HELD, lambda: fail(Poison(4)))

    assert isinstance(verdict, Verdict)
    assert (verdict.ending, verdict.held, verdict.code) == (Ending.DEAD, HELD, "poison")


def test_a_bug_in_a_stage_is_a_failed_attempt() -> None:
    """Nothing was sent, and the verdict contains the bug's type but not its message."""
    verdict = prepare(HELD, lambda: fail(ValueError("secret")))

    assert isinstance(verdict, Verdict)
    assert (verdict.ending, verdict.unknown) == (Ending.FAILED, False)
    assert verdict.error is not None
    assert verdict.error.message == "a bug: ValueError"


def test_notifications_that_were_not_sent_are_unfinished() -> None:
    """The next try sends each of them."""
    verdicts = nothing_sent([HELD, OTHER], AWAY)

    assert [(verdict.ending, verdict.held, verdict.unknown) for verdict in verdicts] == [
        (Ending.UNFINISHED, HELD, False),
        (Ending.UNFINISHED, OTHER, False),
    ]


async def test_verdicts_of_a_call_without_an_error_are_kept() -> None:
    """The stage itself decides."""
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
async def test_an_error_of_a_call_applies_to_all_its_notifications(
    error: Exception, ending: Ending, *, sends: bool
) -> None:
    """Each gets a verdict, whose outcome is unknown if the call may have sent."""
    verdicts = await watch([HELD, OTHER], sending(error), sends=sends)

    assert [(verdict.ending, verdict.held, verdict.unknown) for verdict in verdicts] == [
        (ending, HELD, sends),
        (ending, OTHER, sends),
    ]
