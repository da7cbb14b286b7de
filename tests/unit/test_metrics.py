"""The metrics, and their names."""

import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric

from tests.support.programs import ENVIRONMENT
from xnovu_poller import __version__, metrics
from xnovu_poller.lifecycle import ChoreName, FireOutcome, LoopName, RuleStatus
from xnovu_poller.metrics.combined import CombinedMetrics


def found() -> dict[str, Metric]:
    """Return our metric families by name, without those of the process itself."""
    return {family.name: family for family in metrics.REGISTRY.collect() if family.name.startswith("xnovu_")}


def series(family: str, label: str) -> set[str]:
    """Return the values that a label has from the start."""
    return {sample.labels[label] for sample in found()[family].samples if label in sample.labels}


def test_every_metric_has_its_name() -> None:
    """Dashboards break when a name changes; here the change is visible in a diff."""
    assert {(name, family.type) for name, family in found().items()} == {
        ("xnovu_build", "info"),
        ("xnovu_notifications_claimed", "counter"),
        ("xnovu_enterprise_notifications_claimed", "counter"),
        ("xnovu_notifications_sent", "counter"),
        ("xnovu_pauses", "gauge"),
        ("xnovu_enterprises_braked", "counter"),
        ("xnovu_notifications_failed", "counter"),
        ("xnovu_notifications_dead", "counter"),
        ("xnovu_notifications_released", "counter"),
        ("xnovu_notifications_turned_away", "counter"),
        ("xnovu_notifications_retracted", "counter"),
        ("xnovu_notifications_expired", "counter"),
        ("xnovu_notifications_rescued", "counter"),
        ("xnovu_notifications_purged", "counter"),
        ("xnovu_notifications_late", "counter"),
        ("xnovu_handoffs", "counter"),
        ("xnovu_cancels", "counter"),
        ("xnovu_rules_fired", "counter"),
        ("xnovu_rules_reconciled", "counter"),
        ("xnovu_chores", "counter"),
        ("xnovu_faulty_rows", "gauge"),
        ("xnovu_novu_calls", "counter"),
        ("xnovu_novu_call_seconds", "histogram"),
        ("xnovu_stage_seconds", "histogram"),
        ("xnovu_template_lookups", "counter"),
        ("xnovu_turn_seconds", "histogram"),
        ("xnovu_gate_open", "gauge"),
        ("xnovu_component_health", "gauge"),
        ("xnovu_backlog", "gauge"),
        ("xnovu_in_flight", "gauge"),
        ("xnovu_oldest_due_seconds", "gauge"),
        ("xnovu_enterprise_backlog", "gauge"),
        ("xnovu_enterprise_oldest_due_seconds", "gauge"),
        ("xnovu_loop_lag_seconds", "gauge"),
        ("xnovu_rules", "gauge"),
        ("xnovu_tripped_workflows", "gauge"),
        ("xnovu_wakeup_listening", "gauge"),
        ("xnovu_pool_connections_in_use", "gauge"),
        ("xnovu_pool_connections_max", "gauge"),
        ("xnovu_event_loop_lag_seconds", "histogram"),
        ("xnovu_due_to_accepted_seconds", "histogram"),
    }


def test_series_of_closed_sets_are_there_from_the_start() -> None:
    """An alert needs the zero before the first event."""
    assert series("xnovu_notifications_claimed", "loop") >= set(LoopName)
    for family in ("xnovu_backlog", "xnovu_oldest_due_seconds"):
        assert series(family, "loop") == set(LoopName)
    for family in ("xnovu_turn_seconds", "xnovu_loop_lag_seconds"):
        assert series(family, "loop") >= set(metrics.LOOPS)
    assert series("xnovu_component_health", "component") >= set(metrics.COMPONENTS)
    assert series("xnovu_component_health", "status") == set(metrics.HEALTH_STATES)
    assert series("xnovu_stage_seconds", "stage") >= set(metrics.STAGES)
    assert series("xnovu_template_lookups", "result") >= set(metrics.LOOKUPS)
    assert series("xnovu_rules", "state") >= set(RuleStatus)
    assert series("xnovu_pool_connections_in_use", "pool") == set(metrics.POOLS)
    for family in ("xnovu_notifications_failed", "xnovu_notifications_dead"):
        assert series(family, "code") >= set(metrics.ERROR_CODES)
        assert series(family, "code") >= {"xnovu_error", "template_missing", "novu_rejected", "lost_contact"}
    assert series("xnovu_cancels", "answer") >= set(metrics.CANCEL_ANSWERS)
    assert series("xnovu_handoffs", "result") >= set(metrics.HANDOFF_RESULTS)
    assert series("xnovu_novu_calls", "outcome") >= set(metrics.CALL_OUTCOMES)
    assert series("xnovu_rules_fired", "outcome") >= set(FireOutcome)
    assert series("xnovu_rules_reconciled", "kind") >= set(metrics.RECONCILED_KINDS)
    assert series("xnovu_chores", "name") >= set(ChoreName)
    assert series("xnovu_chores", "end") >= set(metrics.CHORE_ENDS)


def test_the_version_is_a_metric() -> None:
    """You can see which release a replica runs."""
    assert metrics.REGISTRY.get_sample_value("xnovu_build_info", {"version": __version__}) == 1


COUNT_IN_A_CHILD = """
from xnovu_poller import metrics
metrics.SENT.inc(3)
metrics.CLAIMED.labels("new").inc(2)
metrics.DUE_TO_ACCEPTED_SECONDS.observe(0.2)
metrics.GATE_OPEN.set(1)
"""


def test_children_are_counted_even_after_they_die(tmp_path: Path) -> None:
    """Otherwise counters would fall. Gauges are our own only."""
    for _ in range(2):
        environment = {**ENVIRONMENT, metrics.FOLDER_VARIABLE: str(tmp_path)}
        subprocess.run([sys.executable, "-c", COUNT_IN_A_CHILD], env=environment, check=True)
    own, together = metrics.REGISTRY, CollectorRegistry()
    together.register(CombinedMetrics(tmp_path))

    def grown(name: str, **labels: str) -> float:
        after, before = together.get_sample_value(name, labels), own.get_sample_value(name, labels)
        assert after is not None
        assert before is not None
        return after - before

    assert grown("xnovu_notifications_sent_total") == 6
    assert grown("xnovu_notifications_claimed_total", loop="new") == 4
    assert grown("xnovu_due_to_accepted_seconds_count") == 2
    assert grown("xnovu_due_to_accepted_seconds_bucket", le="0.1") == 0
    assert grown("xnovu_due_to_accepted_seconds_bucket", le="0.25") == 2
    assert grown("xnovu_gate_open") == 0
