"""Fixtures for all tests."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.selection import begin_with_long, other_modes

# A shell lets background processes ignore Ctrl-C, and our children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in each run, however slow the machine is; `make fuzz` looks for others.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# Folders in memory: to copy a database, which most tests do, costs a quarter of what it costs on a disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - tempfile makes folders in it that are ours
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    tempfile.tempdir = str(MEMORY)

pytest_plugins = [
    "tests.support.clock",
    "tests.support.environments",
    "tests.support.novu",
    "tests.support.postgres",
    "tests.support.rows",
    "tests.support.scratch",
    "tests.support.syncing",
    "tests.support.enterprises",
    "tests.support.logins",  # builds on rows: a plugin must be named before it is imported
    "tests.support.temporal",
    "tests.support.worker",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option."""
    parser.addoption("--every-mode", action="store_true", help="Run each disaster in both ways of a handoff.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other mode of each disaster, and begin with the long tests."""
    if not config.getoption("--every-mode"):
        left_out = other_modes({item.nodeid for item in items})
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
        items[:] = [item for item in items if item.nodeid not in left_out]
    begin_with_long(items)
