"""What happens if two deployments share a task queue by mistake: executors refuse foreign input, workflows ask again."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory

FOREIGN_DEPLOYMENT = "foreign_deployment"
"""The type of the error that refuses another deployment's input.

Its detail is the number of tries before the refusal, which is not a try itself.
"""

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=30)
"""The pauses grow by a second each. If they doubled, a few refusals by chance would delay our own executors by minutes."""

Answer = TypeVar("Answer")


def build_refusal(tries: int) -> ApplicationError:
    """Return the error by which an activity refuses input of another deployment.

    Args:
        tries: how many of our own executors' tries came before.
    """
    return ApplicationError(
        "the input belongs to another deployment",
        tries,
        type=FOREIGN_DEPLOYMENT,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


async def ask_until_accepted(ask: Callable[[int], Awaitable[Answer]]) -> Answer:
    """Schedule an activity, in a workflow, until an executor of our own deployment accepts it.

    Args:
        ask: schedules the activity; it gets the number of tries that our own executors have made.

    Raises:
        ActivityError: our own executors could not do it.
    """
    tries, pause = 0, _FIRST_PAUSE
    while True:
        try:
            return await ask(tries)
        except ActivityError as error:
            before = count_tries_before_refusal(error.cause)
            if before is None:
                raise
            tries += before
        await workflow.sleep(pause)
        pause = min(pause + _FIRST_PAUSE, _LONGEST_PAUSE)


def count_tries_before_refusal(error: BaseException | None) -> int | None:
    """Return how many tries came before a foreign executor's refusal; None if it is another error."""
    if isinstance(error, ApplicationError) and error.type == FOREIGN_DEPLOYMENT:
        return int(error.details[0]) if error.details else 0
    return None
