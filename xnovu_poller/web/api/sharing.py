"""Heavy work of a request, within the share of the processor that its enterprise has."""

import math
from collections.abc import Callable
from typing import TypeVar

from xnovu_poller.errors import Unfinished
from xnovu_poller.web.api.operation import Call
from xnovu_poller.web.api.problems import Fault, Problem

Result = TypeVar("Result")


async def take_share(call: Call, work: Callable[[], Result]) -> Result:
    """Do a piece of work, unless the enterprise has used its share; other requests come in between.

    Raises:
        Problem: it has; nothing was done.
    """
    try:
        return await call.parts.shares.do(call.caller.enterprise_id, work)
    except Unfinished as error:
        wait = str(max(1, math.ceil(error.pause.total_seconds())))
        raise Problem(
            Fault.TOO_MANY_REQUESTS,
            "your enterprise has used its share of the processor",
            headers={"Retry-After": wait},
            code="share_used",
        ) from None
