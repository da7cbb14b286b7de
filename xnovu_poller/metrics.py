"""Every metric, with its unit and labels; a label's values come from a closed set, never from rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from typing_extensions import override

from xnovu_poller import __version__
from xnovu_poller.lifecycle import ChoreName, FireOutcome, ReconcileOutcome

LOOPS: Final = ("new", "scheduled", "failed")
"""Values of the label `loop`."""

HANDOFF_RESULTS: Final = ("started", "refused", "unavailable")
"""Values of the label `result`; a workflow that runs already counts as started."""

CALL_OUTCOMES: Final = ("accepted", "unavailable", "unknown", "rejected", "stop")
"""Values of the label `outcome`: the classes of Novu's answers."""

CANCEL_ANSWERS: Final = ("cancelled", "nothing_left", "refused")
"""Values of the label `answer`: what Novu says when a SENT notification is withdrawn."""

FIRE_OUTCOMES: Final = tuple(FireOutcome)
"""Values of the label `outcome` of firings."""

RECONCILED_KINDS: Final = tuple(
    outcome for outcome in ReconcileOutcome if outcome is not ReconcileOutcome.UNCHANGED
)
"""Values of the label `kind`: what a reconciliation did about a rule; unchanged rules are not counted."""

CHORE_NAMES: Final = tuple(ChoreName)
"""Values of the label `name`."""

CHORE_ENDS: Final = ("done", "failed")
"""Values of the label `end`."""

# Drop the `_created` series: nothing uses them.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

BUILD: Final = Info("xnovu_build", "The version that runs.", registry=REGISTRY)
BUILD.info({"version": __version__})

CLAIMED: Final = Counter(
    "xnovu_notifications_claimed", "Notifications claimed, by loop.", ["loop"], registry=REGISTRY
)
SENT: Final = Counter(
    "xnovu_notifications_sent", "Notifications of which Novu accepted every chunk.", registry=REGISTRY
)
FAILED: Final = Counter(
    "xnovu_notifications_failed", "Attempts that failed and count, by error.", ["code"], registry=REGISTRY
)
DEAD: Final = Counter(
    "xnovu_notifications_dead", "Notifications given up, by error.", ["code"], registry=REGISTRY
)
RELEASED: Final = Counter(
    "xnovu_notifications_released", "Notifications given back unharmed; not a failure.", registry=REGISTRY
)
TURNED_AWAY: Final = Counter(
    "xnovu_notifications_turned_away",
    "Notifications put off because their enterprise's workflow gets no answer; not a failure.",
    registry=REGISTRY,
)
RETRACTED: Final = Counter("xnovu_notifications_retracted", "Notifications withdrawn.", registry=REGISTRY)
EXPIRED: Final = Counter(
    "xnovu_notifications_expired", "Notifications whose time ran out before a send.", registry=REGISTRY
)
RESCUED: Final = Counter(
    "xnovu_notifications_rescued", "Lapsed leases taken over or given back.", registry=REGISTRY
)
PURGED: Final = Counter(
    "xnovu_notifications_purged", "Notifications deleted, long after they ended.", registry=REGISTRY
)
LATE: Final = Counter(
    "xnovu_notifications_late", "Writes of a holder whose right was gone; harmless.", registry=REGISTRY
)

HANDOFFS: Final = Counter("xnovu_handoffs", "Workflows asked for, by result.", ["result"], registry=REGISTRY)
CANCELS: Final = Counter(
    "xnovu_cancels", "SENT notifications that Novu was asked to cancel.", ["answer"], registry=REGISTRY
)
RULES_FIRED: Final = Counter(
    "xnovu_rules_fired", "Firings of rules, by outcome.", ["outcome"], registry=REGISTRY
)
RULES_RECONCILED: Final = Counter(
    "xnovu_rules_reconciled", "What was done to the schedules of rules, by kind.", ["kind"], registry=REGISTRY
)
CHORES: Final = Counter(
    "xnovu_chores", "Chores of the deployment that this process did.", ["name", "end"], registry=REGISTRY
)
NOVU_CALLS: Final = Counter(
    "xnovu_novu_calls", "HTTP calls to Novu, by outcome.", ["outcome"], registry=REGISTRY
)
NOVU_CALL_SECONDS: Final = Histogram(
    "xnovu_novu_call_seconds",
    "Seconds of one HTTP call to Novu.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
TURN_SECONDS: Final = Histogram(
    "xnovu_turn_seconds",
    "Seconds of one turn of a loop, its rest not counted.",
    ["loop"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
    registry=REGISTRY,
)
GATE_OPEN: Final = Gauge(
    "xnovu_gate_open", "1 while Novu can be served, 0 while claims stand still.", registry=REGISTRY
)
DUE_TO_ACCEPTED_SECONDS: Final = Histogram(
    "xnovu_due_to_accepted_seconds",
    "Seconds from the time a notification was due to Novu's acceptance.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)

# A series that is there from the start can be alerted on before its first event.
for _loop in LOOPS:
    CLAIMED.labels(_loop)
    TURN_SECONDS.labels(_loop)
for _result in HANDOFF_RESULTS:
    HANDOFFS.labels(_result)
for _outcome in CALL_OUTCOMES:
    NOVU_CALLS.labels(_outcome)
for _answer in CANCEL_ANSWERS:
    CANCELS.labels(_answer)
for _fired in FIRE_OUTCOMES:
    RULES_FIRED.labels(_fired)
for _kind in RECONCILED_KINDS:
    RULES_RECONCILED.labels(_kind)
for _chore in CHORE_NAMES:
    for _end in CHORE_ENDS:
        CHORES.labels(_chore, _end)

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""A process that starts with this variable keeps its counts in files of that folder, for `CombinedMetrics`."""


Source = Collector
"""What /metrics can show."""


class CombinedMetrics(Source):
    """The counters and histograms of this process and its children, added up; gauges are this process's own.

    Args:
        folder: where the children keep their counts. Files of dead children stay: a counter never falls.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    def collect(self) -> Iterable[Metric]:
        families = {family.name: family for family in REGISTRY.collect()}
        children: Collector = MultiProcessCollector(CollectorRegistry(), str(self._folder))  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped
        for theirs in children.collect():
            ours = families.get(theirs.name)
            if ours is not None and theirs.type in {"counter", "histogram"}:
                ours.samples = _summed([*ours.samples, *theirs.samples])
        return families.values()


def _summed(samples: Sequence[Sample]) -> list[Sample]:
    """Add up the samples of one name and the same labels."""
    sums: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
    for sample in samples:
        key = sample.name, frozenset(sample.labels.items())
        before = sums[key].value if key in sums else 0.0
        sums[key] = Sample(sample.name, sample.labels, before + sample.value)
    return list(sums.values())
