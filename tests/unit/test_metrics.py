"""What is counted, under which names."""

from prometheus_client import Metric

from xnovu_poller import __version__, metrics


def found() -> dict[str, Metric]:
    """Give our metric families by name, without the process's own."""
    return {family.name: family for family in metrics.REGISTRY.collect() if family.name.startswith("xnovu_")}


def series(family: str, label: str) -> set[str]:
    """Give the values that a label has from the start."""
    return {sample.labels[label] for sample in found()[family].samples if label in sample.labels}


def test_every_metric_has_its_name() -> None:
    """A dashboard breaks when a name changes: here it is a readable diff."""
    assert {(name, family.type) for name, family in found().items()} == {
        ("xnovu_build", "info"),
        ("xnovu_notifications_claimed", "counter"),
        ("xnovu_notifications_sent", "counter"),
        ("xnovu_notifications_failed", "counter"),
        ("xnovu_notifications_dead", "counter"),
        ("xnovu_notifications_released", "counter"),
        ("xnovu_notifications_retracted", "counter"),
        ("xnovu_notifications_expired", "counter"),
        ("xnovu_notifications_rescued", "counter"),
        ("xnovu_notifications_late", "counter"),
        ("xnovu_handoffs", "counter"),
        ("xnovu_novu_calls", "counter"),
        ("xnovu_novu_call_seconds", "histogram"),
        ("xnovu_turn_seconds", "histogram"),
        ("xnovu_gate_open", "gauge"),
        ("xnovu_due_to_accepted_seconds", "histogram"),
    }


def test_series_of_closed_sets_are_there_from_the_start() -> None:
    """An alert needs the zero before the first event."""
    assert series("xnovu_notifications_claimed", "loop") >= set(metrics.LOOPS)
    assert series("xnovu_turn_seconds", "loop") >= set(metrics.LOOPS)
    assert series("xnovu_handoffs", "result") >= set(metrics.HANDOFF_RESULTS)
    assert series("xnovu_novu_calls", "outcome") >= set(metrics.CALL_OUTCOMES)


def test_the_version_is_told() -> None:
    """One can see which release a replica runs."""
    assert metrics.REGISTRY.get_sample_value("xnovu_build_info", {"version": __version__}) == 1
