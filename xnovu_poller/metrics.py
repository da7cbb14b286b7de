"""Every metric, with its unit and labels. The values of a label are a fixed set, never taken from rows."""

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
from xnovu_poller.lifecycle import ChoreName, FireOutcome, LoopName, ReconcileOutcome

HANDOFF_RESULTS: Final = ("started", "refused", "unavailable")
"""Values of the label `result`; a run that exists already counts as started."""

CALL_OUTCOMES: Final = ("accepted", "unavailable", "unknown", "rejected", "stop")
"""Values of the label `outcome`: the classes of Novu's answers."""

CANCEL_ANSWERS: Final = ("cancelled", "nothing_left", "refused")
"""Values of the label `answer`: Novu's answer when a SENT notification is withdrawn."""

RECONCILED_KINDS: Final = tuple(
    outcome for outcome in ReconcileOutcome if outcome is not ReconcileOutcome.UNCHANGED
)
"""Values of the label `kind`: what a reconciliation did about a rule; unchanged rules are not counted."""

CHORE_ENDS: Final = ("done", "failed")
"""Values of the label `end`."""

# Drop the `_created` series: nothing uses them.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

BUILD: Final = Info("xnovu_build", "The version of this process.", registry=REGISTRY)
BUILD.info({"version": __version__})

CLAIMED: Final = Counter(
    "xnovu_notifications_claimed", "Notifications claimed, by loop.", ["loop"], registry=REGISTRY
)
SENT: Final = Counter(
    "xnovu_notifications_sent", "Notifications of which Novu accepted every chunk.", registry=REGISTRY
)
FAILED: Final = Counter(
    "xnovu_notifications_failed",
    "Failed attempts that count, by error, including the last, which makes the notification DEAD.",
    ["code"],
    registry=REGISTRY,
)
DEAD: Final = Counter(
    "xnovu_notifications_dead",
    "Notifications that became DEAD, by error: rejected, unfit, or after their last failure.",
    ["code"],
    registry=REGISTRY,
)
RELEASED: Final = Counter(
    "xnovu_notifications_released",
    "Notifications returned without an attempt; not a failure.",
    registry=REGISTRY,
)
TURNED_AWAY: Final = Counter(
    "xnovu_notifications_turned_away",
    "Notifications postponed because Novu does not answer for their workflow; not a failure.",
    registry=REGISTRY,
)
RETRACTED: Final = Counter(
    "xnovu_notifications_retracted",
    "Notifications withdrawn while a worker had them, before they were sent.",
    registry=REGISTRY,
)
EXPIRED: Final = Counter(
    "xnovu_notifications_expired", "Notifications that expired before they were sent.", registry=REGISTRY
)
RESCUED: Final = Counter(
    "xnovu_notifications_rescued", "Lapsed leases that were claimed again or returned.", registry=REGISTRY
)
PURGED: Final = Counter(
    "xnovu_notifications_purged", "Notifications deleted after their retention time.", registry=REGISTRY
)
LATE: Final = Counter(
    "xnovu_notifications_late",
    "Writes that were refused because another attempt owns the row; harmless.",
    registry=REGISTRY,
)

HANDOFFS: Final = Counter(
    "xnovu_handoffs", "Runs requested from Temporal, by result.", ["result"], registry=REGISTRY
)
CANCELS: Final = Counter(
    "xnovu_cancels", "SENT notifications that Novu was asked to cancel.", ["answer"], registry=REGISTRY
)
RULES_FIRED: Final = Counter(
    "xnovu_rules_fired", "Firings of rules, by outcome.", ["outcome"], registry=REGISTRY
)
RULES_RECONCILED: Final = Counter(
    "xnovu_rules_reconciled", "Changes to the schedules of rules, by kind.", ["kind"], registry=REGISTRY
)
CHORES: Final = Counter(
    "xnovu_chores",
    "Chores of the deployment that this process ran, by name and end.",
    ["name", "end"],
    registry=REGISTRY,
)
NOVU_CALLS: Final = Counter(
    "xnovu_novu_calls",
    "Triggers, by outcome; each event of a bulk call counts.",
    ["outcome"],
    registry=REGISTRY,
)
NOVU_CALL_SECONDS: Final = Histogram(
    "xnovu_novu_call_seconds",
    "Duration of a trigger or bulk call, including its repeat as single calls.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
TURN_SECONDS: Final = Histogram(
    "xnovu_turn_seconds",
    "Duration of one turn of a loop, without the pause after it.",
    ["loop"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
    registry=REGISTRY,
)
GATE_OPEN: Final = Gauge(
    "xnovu_gate_open",
    "1 while notifications are claimed, 0 while claims are paused because of Novu.",
    registry=REGISTRY,
)
DUE_TO_ACCEPTED_SECONDS: Final = Histogram(
    "xnovu_due_to_accepted_seconds",
    "Seconds from the time a notification was due to Novu's acceptance.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)

# Create all series now, so that alerts work before the first event.
for _loop in LoopName:
    CLAIMED.labels(_loop)
    TURN_SECONDS.labels(_loop)
for _result in HANDOFF_RESULTS:
    HANDOFFS.labels(_result)
for _outcome in CALL_OUTCOMES:
    NOVU_CALLS.labels(_outcome)
for _answer in CANCEL_ANSWERS:
    CANCELS.labels(_answer)
for _fired in FireOutcome:
    RULES_FIRED.labels(_fired)
for _kind in RECONCILED_KINDS:
    RULES_RECONCILED.labels(_kind)
for _chore in ChoreName:
    for _end in CHORE_ENDS:
        CHORES.labels(_chore, _end)

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""If this variable is set, a process writes its counts to files in that folder, for `CombinedMetrics`."""

Source = Collector
"""The type of what /metrics shows; other rooms use this name, so that only this file imports Prometheus."""


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


def _add_up(samples: Sequence[Sample]) -> list[Sample]:
    """Add up the samples of one name and the same labels."""
    sums: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
    for sample in samples:
        key = sample.name, frozenset(sample.labels.items())
        before = sums[key].value if key in sums else 0.0
        sums[key] = Sample(sample.name, sample.labels, before + sample.value)
    return list(sums.values())
