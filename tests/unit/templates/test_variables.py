"""The values that a template may name."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.templates.variables import Occasion, list_variables, read_json

AT = datetime(2030, 1, 1, 9, tzinfo=timezone(timedelta(hours=1)))
OCCASION = Occasion("acme", "Acme", '{"hue": "red"}', "order", "Order", 7, "shipped", AT)


def test_a_template_may_name_the_payload_and_the_notification() -> None:
    """A name of the payload comes before ours; times are in UTC."""
    found = list_variables(OCCASION, {"order": 1, "brand": 2})

    assert found == {
        "payload": {"order": 1, "brand": 2},
        "enterprise": {"id": "acme", "name": "Acme"},
        "workflow": {"key": "order", "name": "Order"},
        "notification": {"id": 7, "name": "shipped", "scheduled_for": None},
        "now": "2030-01-01T08:00:00+00:00",
        "order": 1,
        "brand": 2,
    }


def test_the_time_of_a_rule_is_known_only_if_a_rule_fired() -> None:
    """It is also where Novu gets it."""
    fired = Occasion(
        "acme", None, "{}", "order", "Order", 7, "shipped", AT, AT, datetime(2030, 1, 1, tzinfo=UTC)
    )

    found = list_variables(fired, {})

    assert found["fired_at"] == found["xnovu"]["fired_at"] == "2030-01-01T00:00:00+00:00"
    assert found["notification"]["scheduled_for"] == "2030-01-01T08:00:00+00:00"
    assert "fired_at" not in list_variables(OCCASION, {})


def test_a_brand_that_cannot_be_read_is_an_error() -> None:
    """No part of it is shown."""
    with pytest.raises(TemplateFailed, match="brand of the enterprise cannot be read"):
        list_variables(Occasion("acme", None, "[" * 100_000, "order", "Order", 7, "shipped", AT), {})


def test_numbers_keep_their_digits() -> None:
    """A number that JSON does not have is refused."""
    assert read_json('{"a": 100.00}') == {"a": Decimal("100.00")}
    assert str(read_json(b'{"a": 100.00}')["a"]) == "100.00"
    with pytest.raises(ValueError, match="NaN"):
        read_json('{"a": NaN}')
