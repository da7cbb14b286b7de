import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.speed.cpu import Meter, per_job, used

CHILD_BURNS = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.2: pass"], check=True)
print(flush=True)
input()
"""


@contextmanager
def burnt() -> Iterator[int]:
    """Yield the id of a process that waits now, and whose only child has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD_BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        yield parent.pid
        parent.communicate("\n")


def test_the_time_of_children_counts() -> None:
    """Ended children count too, because a server has a process for each connection."""
    with burnt() as pid:
        assert used(pid) > 0.15


def test_a_meter_starts_at_zero() -> None:
    """Time spent before does not count."""
    with burnt() as pid:
        meter = Meter({"it": pid})

        assert 0 <= meter.spent()["it"] < used(pid)


def test_a_job_pays_for_all_processes_but_the_sink() -> None:
    """The sink stands for Novu, which nobody here pays for."""
    figures = per_job({"worker": 2.0, "postgres": 1.0, "sink": 4.0}, "some", 1000)

    assert figures == {
        "some_cpu_ms": 3.0,
        "some_worker_cpu_ms": 2.0,
        "some_postgres_cpu_ms": 1.0,
        "some_sink_cpu_ms": 4.0,
    }
