"""The claims of the busiest enterprises, however many there are."""

from collections.abc import Iterator

import pytest

from xnovu_poller import metrics
from xnovu_poller.metrics.enterprises import MOST_KNOWN, RANKED_EVERY, BusyEnterprises

MANY = [f"enterprise-{number}" for number in range(10_000)]


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(autouse=True)
def _without_series() -> Iterator[None]:
    metrics.CLAIMED_BY_ENTERPRISE.clear()
    yield
    metrics.CLAIMED_BY_ENTERPRISE.clear()


def shown() -> dict[str, float]:
    """Return the series by enterprise."""
    return {
        sample.labels["enterprise"]: sample.value
        for family in metrics.CLAIMED_BY_ENTERPRISE.collect()
        for sample in family.samples
    }


def test_ten_thousand_enterprises_get_as_many_series_as_are_allowed() -> None:
    """The busiest are found among them within a minute, and the memory has a bound too."""
    clock = Clock()
    busy = BusyEnterprises(20, clock)
    for _ in range(2):
        busy.count([*MANY, *["acme"] * 10, *["globex"] * 5])
        assert len(shown()) == 20
        clock.now += RANKED_EVERY
    busy.count(["acme", *(f"another-{number}" for number in range(MOST_KNOWN))])

    assert len(shown()) == 20
    assert shown().keys() >= {"acme", "globex"}
    assert len(busy._claims) <= MOST_KNOWN


def test_a_series_counts_while_its_enterprise_is_busy() -> None:
    """An enterprise that was busy long ago gives its place to another that is busy now."""
    clock = Clock()
    busy = BusyEnterprises(1, clock)
    busy.count(["acme"] * 8)
    assert shown() == {"acme": 8}

    for _ in range(4):
        clock.now += RANKED_EVERY
        busy.count(["globex"] * 4)

    assert shown() == {"globex": 8}


def test_by_default_nobody_is_named() -> None:
    """The page of metrics needs no login."""
    BusyEnterprises().count(["acme"])

    assert shown() == {}
