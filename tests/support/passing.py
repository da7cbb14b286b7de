"""Which files of the package a piece of work passes through, as the interpreter sees it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import xnovu_poller

PACKAGE = Path(xnovu_poller.__file__).parent


@contextmanager
def passing() -> Iterator[set[str]]:
    """Collect the files whose functions are called within, in this thread and in threads that start meanwhile."""
    files: set[str] = set()
    root = f"{PACKAGE}/"

    def see(frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(root):
            files.add(name.removeprefix(root))

    before = sys.getprofile()
    threading.setprofile(see)
    sys.setprofile(see)
    try:
        yield files
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
