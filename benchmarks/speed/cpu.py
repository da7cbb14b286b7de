"""CPU time by process, with all its children."""

from collections.abc import Mapping
from contextlib import suppress

import psutil

from benchmarks.speed.scene import Figures

_USED = 4
"""The times that count: user and system, of the process and of children that have ended."""


def used(pid: int) -> float:
    """Return the CPU seconds that a process and its children have used so far."""
    first = psutil.Process(pid)
    return sum(_times(each) for each in (first, *first.children(recursive=True)))


def _times(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):  # it has ended since; its time now counts for its parent
        times: list[float] = process.cpu_times()[:_USED]
        return sum(times)
    return 0.0


class Meter:
    """Measures the CPU time of processes from now on.

    Args:
        pids: by name.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = self._now()

    def spent(self) -> dict[str, float]:
        """Return the seconds that each has used since."""
        return {name: seconds - self._before[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: used(pid) for name, pid in self._pids.items()}


def per_job(spent: Mapping[str, float], name: str, jobs: int) -> Figures:
    """Return the milliseconds of CPU time of a job: of each process, and of all except the sink, which replaces Novu.

    Args:
        spent: seconds by process.
        name: the prefix of the figures.
        jobs: how many share the time.
    """
    milliseconds = {process: 1000 * seconds / jobs for process, seconds in spent.items()}
    each = {f"{name}_{process}_cpu_ms": value for process, value in milliseconds.items()}
    return {f"{name}_cpu_ms": sum(milliseconds.values()) - milliseconds.get("sink", 0.0), **each}
