"""Every metric, with its unit and labels.

The values of a label are a fixed set, never taken from rows; only METRICS_ENTERPRISES lets a bounded number of enterprises in.
"""

from collections.abc import Iterator
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
from prometheus_client.registry import Collector

from xnovu_poller import __version__
from xnovu_poller.errors import ConfigError, RuleInvalid, StoreError, TemporalError, XnovuError
from xnovu_poller.lifecycle import (
    ChoreName,
    FireOutcome,
    LoopName,
    PauseScope,
    ReconcileOutcome,
    RowKind,
    RuleStatus,
)

HANDOFF_RESULTS: Final = ("started", "refused", "unavailable")
"""Values of the label `result`; a run that exists already counts as started."""

CALL_OUTCOMES: Final = ("accepted", "unavailable", "unknown", "rejected", "blocked", "stop")
"""Values of the label `outcome`: the classes of Novu's answers."""

CANCEL_ANSWERS: Final = ("cancelled", "nothing_left", "refused")
"""Values of the label `answer`: Novu's answer when a SENT notification is withdrawn."""

RECONCILED_KINDS: Final = tuple(
    outcome for outcome in ReconcileOutcome if outcome is not ReconcileOutcome.UNCHANGED
)
"""Values of the label `kind`: what a reconciliation did about a rule; unchanged rules are not counted."""

CHORE_ENDS: Final = ("done", "failed")
"""Values of the label `end`."""

LOOPS: Final = (*LoopName, "rescue", "cancel")
"""Values of the label `loop` where every loop has a series, not only those that claim."""

COMPONENTS: Final = ("database", "temporal", "novu", "worker", "loops", "deliveries", "chores")
"""Values of the label `component`: the components of /health."""

HEALTH_STATES: Final = ("healthy", "degraded", "unhealthy")
"""Values of the label `status`; a component has 1 in one of them."""

POOLS: Final = ("deliveries", "chores")
"""Values of the label `pool`: the connections of loops and deliveries, and those of rules and chores."""

STAGES: Final = ("hold", "validate", "render", "call", "record")
"""Values of the label `stage`: what the delivery of a group goes through."""

LOOKUPS: Final = ("hit", "miss")
"""Values of the label `result`: whether a compiled template was kept, or had to be compiled."""

RULE_STATES: Final = (*RuleStatus, "UNSEEN")
"""Values of the label `state`; no reconciliation has seen an UNSEEN rule yet."""


def _list_codes(kind: type[XnovuError]) -> Iterator[str]:
    """Yield the codes of the errors that a notification can have: those of the tree's leaves."""
    for child in kind.__subclasses__():
        if issubclass(child, ConfigError | StoreError | TemporalError | RuleInvalid):
            continue
        if not child.__subclasses__():
            yield child.code
        yield from _list_codes(child)


ERROR_CODES: Final = (XnovuError.code, *_list_codes(XnovuError))
"""Values of the label `code`; the first is a bug of ours."""

# Drop the `_created` series: nothing uses them.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client leaves it untyped

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

BUILD: Final = Info("xnovu_build", "The version of this process.", registry=REGISTRY)
BUILD.info({"version": __version__})

CLAIMED: Final = Counter(
    "xnovu_notifications_claimed", "Notifications claimed, by loop.", ["loop"], registry=REGISTRY
)
CLAIMED_BY_ENTERPRISE: Final = Counter(
    "xnovu_enterprise_notifications_claimed",
    "Notifications claimed, by enterprise, for the busiest as many as METRICS_ENTERPRISES allows.",
    ["enterprise"],
    registry=REGISTRY,
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
FAULTY_ROWS: Final = Gauge(
    "xnovu_faulty_rows",
    "Published templates and workflows in which the last check has found an error, as of the last health check.",
    ["kind"],
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
STAGE_SECONDS: Final = Histogram(
    "xnovu_stage_seconds",
    "Duration of a stage of delivery, for all notifications of a group together.",
    ["stage"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
TEMPLATE_LOOKUPS: Final = Counter(
    "xnovu_template_lookups",
    "Lookups in the cache of compiled templates, by result.",
    ["result"],
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
PAUSES: Final = Gauge(
    "xnovu_pauses",
    "Pauses of notifications that have not ended, by what they concern.",
    ["scope"],
    registry=REGISTRY,
)
BRAKED: Final = Counter(
    "xnovu_enterprises_braked", "Enterprises that were paused by their brake.", registry=REGISTRY
)
COMPONENT_HEALTH: Final = Gauge(
    "xnovu_component_health",
    "1 for the status of a component of /health, 0 for the others.",
    ["component", "status"],
    registry=REGISTRY,
)
BACKLOG: Final = Gauge(
    "xnovu_backlog", "Due notifications, by loop; counts stop at 10,000.", ["loop"], registry=REGISTRY
)
IN_FLIGHT: Final = Gauge(
    "xnovu_in_flight",
    "Notifications PROCESSING in the deployment; the count stops at 10,000.",
    registry=REGISTRY,
)
OLDEST_DUE_SECONDS: Final = Gauge(
    "xnovu_oldest_due_seconds",
    "For how long the oldest row of a loop has been due; 0 if no row is due.",
    ["loop"],
    registry=REGISTRY,
)
ENTERPRISE_BACKLOG: Final = Gauge(
    "xnovu_enterprise_backlog",
    "Due notifications of the enterprises that have waited longest, as many as METRICS_ENTERPRISES allows; the count of a"
    " loop stops at 1,000.",
    ["enterprise"],
    registry=REGISTRY,
)
ENTERPRISE_OLDEST_DUE_SECONDS: Final = Gauge(
    "xnovu_enterprise_oldest_due_seconds",
    "For how long the oldest row of these enterprises has been due.",
    ["enterprise"],
    registry=REGISTRY,
)
LOOP_LAG_SECONDS: Final = Gauge(
    "xnovu_loop_lag_seconds",
    "For how long a loop has had no turn that succeeded, beyond its interval.",
    ["loop"],
    registry=REGISTRY,
)
RULES: Final = Gauge("xnovu_rules", "Rules, by state.", ["state"], registry=REGISTRY)
TRIPPED_WORKFLOWS: Final = Gauge(
    "xnovu_tripped_workflows",
    "Workflows of an enterprise whose breaker is open: Novu does not answer for them.",
    registry=REGISTRY,
)
WAKEUP_LISTENING: Final = Gauge(
    "xnovu_wakeup_listening", "1 while the database's wake-ups are received.", registry=REGISTRY
)
POOL_IN_USE: Final = Gauge(
    "xnovu_pool_connections_in_use", "Connections to PostgreSQL in use, by pool.", ["pool"], registry=REGISTRY
)
POOL_MOST: Final = Gauge(
    "xnovu_pool_connections_max", "The most connections to PostgreSQL, by pool.", ["pool"], registry=REGISTRY
)
EVENT_LOOP_LAG_SECONDS: Final = Histogram(
    "xnovu_event_loop_lag_seconds",
    "How late the event loop wakes a task that sleeps, observed once a second.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
DUE_TO_ACCEPTED_SECONDS: Final = Histogram(
    "xnovu_due_to_accepted_seconds",
    "Seconds from the time a notification was due to Novu's acceptance.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)

GATE_OPEN.set(1)

# Create all series now, so that alerts work before the first event.
for _loop in LoopName:
    CLAIMED.labels(_loop)
    BACKLOG.labels(_loop)
    OLDEST_DUE_SECONDS.labels(_loop)
for _scope in PauseScope:
    PAUSES.labels(_scope)
for _any_loop in LOOPS:
    TURN_SECONDS.labels(_any_loop)
    LOOP_LAG_SECONDS.labels(_any_loop)
for _component in COMPONENTS:
    for _status in HEALTH_STATES:
        COMPONENT_HEALTH.labels(_component, _status)
for _stage in STAGES:
    STAGE_SECONDS.labels(_stage)
for _lookup in LOOKUPS:
    TEMPLATE_LOOKUPS.labels(_lookup)
for _state in RULE_STATES:
    RULES.labels(_state)
for _pool in POOLS:
    POOL_IN_USE.labels(_pool)
    POOL_MOST.labels(_pool)
for _code in ERROR_CODES:
    FAILED.labels(_code)
    DEAD.labels(_code)
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
for _row in RowKind:
    FAULTY_ROWS.labels(_row)
for _chore in ChoreName:
    for _end in CHORE_ENDS:
        CHORES.labels(_chore, _end)

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""If this variable is set, a process writes its counts to files in that folder, for `CombinedMetrics`."""

Source = Collector
"""The type of what /metrics shows; other rooms use this name, so that only this room imports Prometheus."""
