"""Fixtures for all tests."""

import signal

# A shell lets background processes ignore Ctrl-C, and our children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.support.clock",
    "tests.support.novu",
    "tests.support.postgres",
    "tests.support.rows",
    "tests.support.logins",  # builds on rows: a plugin must be named before it is imported
    "tests.support.temporal",
    "tests.support.worker",
]
