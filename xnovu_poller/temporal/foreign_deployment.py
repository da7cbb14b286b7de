"""Executors of another deployment that share our task queue by mistake: what they refuse is asked again."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory

FOREIGN = "stranger"
"""The type of the error by which an executor refuses another deployment's input.

Its detail says how many tries came before it: the refusal is none.
"""

_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=30)
"""In steps of a second: doubled, a few refusals by chance among as many strangers as our own would take minutes."""

Answer = TypeVar("Answer")


def refusal(tries: int) -> ApplicationError:
    """Give the error by which an activity refuses what is another deployment's.

    Args:
        tries: how many were made before.
    """
    return ApplicationError(
        "another deployment's",
        tries,
        type=FOREIGN,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


async def by_our_own(ask: Callable[[int], Awaitable[Answer]]) -> Answer:
    """Ask, in a workflow, until an executor of our own deployment takes it; the pauses grow.

    Args:
        ask: schedules the activity; it is told how many tries our own executors have made.

    Raises:
        ActivityError: our own could not do it.
    """
    made, pause = 0, _FIRST_WAIT
    while True:
        try:
            return await ask(made)
        except ActivityError as error:
            before = tries_before(error.cause)
            if before is None:
                raise
            made += before
        await workflow.sleep(pause)
        pause = min(pause + _FIRST_WAIT, _LONGEST_WAIT)


def tries_before(fault: BaseException | None) -> int | None:
    """Say how many tries came before a stranger's refusal; None if it is none."""
    if isinstance(fault, ApplicationError) and fault.type == FOREIGN:
        return int(fault.details[0]) if fault.details else 0
    return None
