"""The metrics of a process together with those of its children."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from typing_extensions import override

from xnovu_poller.metrics import REGISTRY, Source


class CombinedMetrics(Source):
    """The counters and histograms of this process and its children, added up; gauges are this process's own.

    Args:
        folder: where the children write their counts. Files of dead children stay, so a counter never falls.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    def collect(self) -> Iterable[Metric]:
        families = {family.name: family for family in REGISTRY.collect()}
        children: Collector = MultiProcessCollector(CollectorRegistry(), str(self._folder))  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped
        for child in children.collect():
            family = families.get(child.name)
            if family is not None and child.type in {"counter", "histogram"}:
                family.samples = _add_up([*family.samples, *child.samples])
        return families.values()


def of_all_processes() -> Source:
    """Return the counters and histograms of all processes that share a folder (`FOLDER_VARIABLE`), of which this is one."""
    return MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped


def _add_up(samples: Sequence[Sample]) -> list[Sample]:
    """Add up the samples of one name and the same labels."""
    sums: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
    for sample in samples:
        key = sample.name, frozenset(sample.labels.items())
        before = sums[key].value if key in sums else 0.0
        sums[key] = Sample(sample.name, sample.labels, before + sample.value)
    return list(sums.values())
