"""Which tests a run has, and in which order: CI has 20 minutes for all."""

import re
from collections.abc import Collection
from zlib import crc32

import pytest

PROCESSES = 4
"""How many processes `make test` has; each gets as many tests at first, in their order."""

LONG = ("tests/faults", "tests/model", "tests/journeys", "tests/integration/cli", "tests/integration/dev")
"""The folders of the tests that take longest."""

_MODE = re.compile(r"(?<=[\[-])(single|group|auto)(?=[\]-])")


def other_modes(tests: Collection[str]) -> set[str]:
    """Return of each test that exists in two modes one of the two, always the same.

    The name of the test chooses which, so that each mode meets about half of the disasters. A test of `in_every_mode` has
    three, and keeps them all.
    """
    kinds: dict[str, list[str]] = {}
    for test in sorted(tests):
        kinds.setdefault(_MODE.sub("*", test), []).append(test)
    return {alike[crc32(kind.encode()) % 2] for kind, alike in kinds.items() if len(alike) == 2}


def begin_with_long(items: list[pytest.Item]) -> None:
    """Let each process begin with long tests, so that short tests are left at the end, which the others can take over."""
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    ordered: list[pytest.Item] = []
    for number in range(PROCESSES):
        own = long[number::PROCESSES]
        count = max(0, len(items) * (number + 1) // PROCESSES - len(ordered) - len(own))
        ordered += [*own, *short[:count]]
        del short[:count]
    items[:] = [*ordered, *short]
