"""The systems side by side: each with its name for people, and its figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.speed.results import NODE_PEERS, PYTHON_PEERS, Spread

Kind = Literal["ours", "peer", "reference"]

COSTS = ("cpu_ms", "wal_bytes", "commits", "dead_rows", "hot_share")
"""What a job costs: figures of each system that has them."""


@dataclass(frozen=True, slots=True)
class System:
    """A row of the table, and a bar of the chart.

    Attributes:
        label: for people.
        figure: the name of its jobs/s.
        idle: the prefix of the names of its idle latencies, if it has any.
    """

    label: str
    kind: Kind
    figure: str
    idle: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the figures in its row."""
        name = self.figure.removesuffix("_rows_s").removesuffix("_jobs_s")
        costs = (f"{name}_{cost}" for cost in COSTS)
        return (self.figure, f"{self.idle}_p50_ms", f"{self.idle}_p99_ms", *costs)


_OURS = (
    System("xnovu-poller, default settings", "ours", "default_rows_s"),
    System("xnovu-poller, one workflow a row", "ours", "single_rows_s", "idle"),
    System("xnovu-poller, groups of 100", "ours", "group100_rows_s"),
)

_REFERENCES = (
    System("plain SKIP LOCKED loop", "reference", "raw_skip_locked_jobs_s", "raw_skip_locked_idle"),
    System("plain SKIP LOCKED loop, 100 jobs a POST", "reference", "raw_skip_locked_bulk_jobs_s"),
    System("bare workflow, no POST", "reference", "bare_workflow_jobs_s"),
    System("workflow, one local activity", "reference", "local_activity_jobs_s", "local_activity_idle"),
    System(
        "activity without a workflow", "reference", "standalone_activity_jobs_s", "standalone_activity_idle"
    ),
    System("workflow, five activities", "reference", "five_activities_jobs_s", "five_activities_idle"),
    System("aiohttp without a queue", "reference", "http_only_jobs_s"),
)


def systems(found: Mapping[str, Spread]) -> Iterator[System]:
    """Return the measured systems: ours, the peers, the references, each from the fastest to the slowest."""
    peers = [
        System(name.replace("_", "-"), "peer", f"{name}_jobs_s", f"{name}_idle")
        for name in (*PYTHON_PEERS, *NODE_PEERS)
    ]
    had = [system for system in (*_OURS, *_swept(found), *peers, *_REFERENCES) if system.figure in found]
    order = {"ours": 0, "peer": 1, "reference": 2}
    yield from sorted(had, key=lambda system: (order[system.kind], -found[system.figure].median))


def _swept(found: Mapping[str, Spread]) -> Iterator[System]:
    """Return a system for each combination of the sweep."""
    for name in found:
        if name.startswith("sweep_") and name.endswith("_rows_s"):
            group, _, processes = name.removeprefix("sweep_").removesuffix("_rows_s").partition("x")
            several = "" if processes == "1" else f", {processes} processes"
            yield System(f"xnovu-poller, groups of {group}{several}", "ours", name)
