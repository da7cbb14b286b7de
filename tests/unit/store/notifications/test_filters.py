"""Filters as an audit keeps them."""

from datetime import UTC, datetime

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.filters import EARLIEST, LATEST, Filters


def test_an_audit_keeps_no_recipient() -> None:
    """It keeps that there was such a filter, and nothing of filters that were not given."""
    since = datetime(2026, 11, 30, tzinfo=UTC)
    filters = Filters(enterprise="acme", states=(Status.DEAD,), rule=7, since=since, recipient="user-17")

    assert filters.to_json() == {
        "state": ["DEAD"],
        "rule": 7,
        "since": "2026-11-30T00:00:00+00:00",
        "recipient": "(not kept)",
    }
    assert Filters().to_json() == {}


def test_no_filter_means_any_state_and_time() -> None:
    """The statements get bounds that no row passes."""
    assert Filters().wanted == tuple(Status)
    assert Filters(states=(Status.DEAD,)).wanted == (Status.DEAD,)
    assert (Filters().to_values()["since"], Filters().to_values()["until"]) == (EARLIEST, LATEST)
