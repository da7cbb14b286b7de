"""Many deaths of one cause degrade the health for some minutes."""

from collections.abc import Iterable

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from typing_extensions import override

from xnovu_poller import metrics
from xnovu_poller.service.deaths import MANY_DEATHS, WINDOW, DeathWatcher


class Counted(metrics.Source):
    """Counters of deaths, by code."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.deaths = {"template_missing": 0, "novu_rejected": 0}

    @override
    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily("xnovu_notifications_dead", "…", labels=["code"])
        for code, number in self.deaths.items():
            family.add_metric([code], number)
        return [family]


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def test_few_deaths_are_everyday() -> None:
    """Also if there are many in all, of several causes."""
    counted = Counted()
    watcher = DeathWatcher(counted, Clock())
    counted.deaths = dict.fromkeys(counted.deaths, MANY_DEATHS - 1)

    assert watcher.judge().status == "healthy"


def test_many_deaths_of_one_cause_are_reported() -> None:
    """At the first look, with the number and the code."""
    counted, clock = Counted(), Clock()
    watcher = DeathWatcher(counted, clock)
    counted.deaths["template_missing"] = 300
    clock.now += 10

    answer = watcher.judge()

    assert answer.status == "degraded"
    assert "300 notifications became DEAD in the last 1 min (template_missing)" in answer.detail


def test_deaths_of_long_ago_are_forgotten() -> None:
    """The watcher looks back for WINDOW, however often it is asked."""
    counted, clock = Counted(), Clock()
    watcher = DeathWatcher(counted, clock)
    counted.deaths["novu_rejected"] = 300
    found = []
    for _ in range(100):
        clock.now += WINDOW.total_seconds() / 40
        found.append(watcher.judge().status)

    assert found == ["degraded"] * 40 + ["healthy"] * 60
    counted.deaths["novu_rejected"] += MANY_DEATHS
    assert watcher.judge().status == "degraded"
