"""The worker's own log, as it is written in earnest, for the time of a test."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import structlog

from xnovu_poller import log


@contextmanager
def logged_in_full() -> Iterator[io.StringIO]:
    """Write every line as JSON, and give what was written; afterwards everything is as it was."""
    root, ours = logging.getLogger(), logging.getLogger("xnovu_poller")
    before = (list(root.handlers), root.level, ours.level)
    written = io.StringIO()
    with redirect_stderr(written):
        log.configure("debug", "json")
    try:
        yield written
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])
        structlog.reset_defaults()
