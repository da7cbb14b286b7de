"""The fields of a log line about a notification."""

import pytest

from xnovu_poller.facts import FACTS, describe


def test_each_field_has_its_value() -> None:
    """A field more or less is a bug of the caller."""
    found = describe((7, 2), "acme", None, "run", "xn-1")

    assert tuple(found) == FACTS
    assert tuple(found.values()) == (7, 2, "acme", None, "run", "xn-1")
    with pytest.raises(ValueError, match="zip"):
        describe((7, 2), "acme")
