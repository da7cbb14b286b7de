"""The memory of a worker is that of all its processes."""

import os
import subprocess
import sys

from benchmarks.hostile.probe import resident

_GRANDPARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "block = bytearray(b'x') * 100_000_000; print(flush=True); input()"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(flush=True)
input()
"""


def test_the_memory_of_children_counts() -> None:
    """The process that grows may be an executor."""
    with subprocess.Popen(
        [sys.executable, "-c", _GRANDPARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdout.readline()
        assert resident(parent.pid) > 100_000_000
        parent.stdin.close()


def test_a_process_that_is_gone_has_no_memory() -> None:
    """It may end between two looks."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass

    assert resident(gone.pid) == 0
    assert resident(os.getpid()) > 0
