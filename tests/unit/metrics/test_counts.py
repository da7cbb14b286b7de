"""The counters of the work that is done."""

from collections.abc import Iterable

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from typing_extensions import override

from xnovu_poller import metrics
from xnovu_poller.metrics.counts import count_dead, count_done


class Counted(metrics.Source):
    """Counters as a worker has them."""

    sent = 3

    @override
    def collect(self) -> Iterable[Metric]:
        sent = CounterMetricFamily("xnovu_notifications_sent", "…", value=self.sent)
        dead = CounterMetricFamily("xnovu_notifications_dead", "…", labels=["code"])
        dead.add_metric(["template_missing"], 1, created=1.0)
        dead.add_metric(["novu_rejected"], 2, created=1.0)
        return [sent, dead]


def test_work_is_added_up_over_its_codes() -> None:
    """What was not counted is 0; the times at which counters began do not count."""
    assert count_done(Counted()) == {"sent": 3, "failed": 0, "dead": 3}


def test_deaths_are_counted_by_code() -> None:
    """A doctor looks for many of one cause."""
    deaths = count_dead(Counted())

    assert (deaths["template_missing"], deaths["novu_rejected"]) == (1, 2)
