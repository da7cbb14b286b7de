"""Count the calls of a function of ours, without replacing it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def counted(function: Callable[..., Any]) -> Iterator[list[int]]:
    """Count the calls of a function in this thread; the yielded list holds the number."""
    code, calls, before = function.__code__, [0], sys.getprofile()

    def look(frame: FrameType, event: str, _: object) -> None:
        calls[0] += event == "call" and frame.f_code is code

    sys.setprofile(look)
    try:
        yield calls
    finally:
        sys.setprofile(before)
