import os
import subprocess
import sys

from benchmarks.speed.cpu import Meter, per_job, used

CHILD_BURNS = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)
print(flush=True)
input()
"""


def test_the_time_of_children_counts() -> None:
    """Ended children count too, because a server has a process for each connection."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD_BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        seconds = used(parent.pid)
        parent.communicate("\n")

    assert seconds > 0.05


def test_a_meter_starts_at_zero() -> None:
    """Time spent before does not count."""
    meter = Meter({"us": os.getpid()})
    sum(range(1_000_000))

    assert 0 <= meter.spent()["us"] < used(os.getpid())


def test_a_job_pays_for_all_processes_but_the_sink() -> None:
    """The sink stands for Novu, which nobody here pays for."""
    figures = per_job({"worker": 2.0, "postgres": 1.0, "sink": 4.0}, "some", 1000)

    assert figures == {
        "some_cpu_ms": 3.0,
        "some_worker_cpu_ms": 2.0,
        "some_postgres_cpu_ms": 1.0,
        "some_sink_cpu_ms": 4.0,
    }
