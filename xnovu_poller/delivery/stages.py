"""What the stages share: a fault of one notification becomes its own verdict, and affects no other."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from xnovu_poller import log
from xnovu_poller.errors import StoreError, XnovuError
from xnovu_poller.lifecycle import ErrorDetails
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict

_log = log.get(__name__)

Result = TypeVar("Result")


def partition(results: Iterable[Result | Verdict]) -> tuple[list[Result], list[Verdict]]:
    """Return the results for the next stage, and the verdicts on the notifications that do not reach it."""
    passed: list[Result] = []
    verdicts: list[Verdict] = []
    for result in results:
        if isinstance(result, Verdict):
            verdicts.append(result)
        else:
            passed.append(result)
    return passed, verdicts


def prepare(held: Held, stage: Callable[[], Result]) -> Result | Verdict:
    """Take a notification through a stage in which nothing is sent."""
    try:
        return stage()
    except XnovuError as error:
        return Verdict(Ending.DEAD, held, ErrorDetails.of(error))
    except Exception as error:  # noqa: BLE001 - a bug must not take the group along
        return _report_bug(held, error, unknown=False)


def nothing_sent(group: Iterable[Held], error: StoreError) -> list[Verdict]:
    """Leave a group for the next try.

    The verdicts record explicitly that nothing was sent; a hold that just lapses looks like a dead sender.
    """
    return [Verdict(Ending.UNFINISHED, held, ErrorDetails.of(error)) for held in group]


async def watch(
    group: Sequence[Held], work: Coroutine[Any, Any, list[Verdict]], *, sends: bool
) -> list[Verdict]:
    """Turn a fault of `work` into verdicts on its group, so that other notifications are still recorded.

    Args:
        sends: `work` may have sent something before it failed.
    """
    try:
        return await work
    except StoreError as error:
        if not sends:
            return nothing_sent(group, error)
        # A database that is away or locked is no fault of the notifications.
        return [
            Verdict(Ending.UNKNOWN, held, ErrorDetails.of(error), unknown=True, counted=False)
            for held in group
        ]
    except Exception as error:  # noqa: BLE001 - a bug must not take the group along
        return [_report_bug(held, error, unknown=sends) for held in group]


def _report_bug(held: Held, error: Exception, *, unknown: bool) -> Verdict:
    name = type(error).__name__
    _log.error("delivery has a bug", **held.facts, bug=name, at=log.trace(error))
    details = ErrorDetails(XnovuError.code, f"a bug: {name}")
    return Verdict(Ending.FAILED, held, details, unknown=unknown, disputed=True)
