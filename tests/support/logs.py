"""The worker's own log, exactly as in production, while a test runs."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import structlog

from xnovu_poller import log


@contextmanager
def logged_in_full() -> Iterator[io.StringIO]:
    """Log every line as JSON and yield the text; restore the configuration afterwards."""
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
