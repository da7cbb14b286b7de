"""The client's words, and what an import of it costs."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.programs import ENVIRONMENT
from xnovu_poller.client import Notification, NotificationRefused
from xnovu_poller.client.notification import to_json


def test_an_import_loads_only_python_and_our_errors() -> None:
    """An application that only writes rows does not pay for a worker."""
    loaded = _loaded("import xnovu_poller.client, xnovu_poller.testing") - _loaded("pass")

    foreign = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = ("xnovu_poller.client", "xnovu_poller.testing", "xnovu_poller.errors")
    assert {name for name in foreign if not name.startswith(ours)} == {"xnovu_poller"}


def _loaded(statement: str) -> set[str]:
    """Return the modules of a new Python after a statement; each Python begins with some of its own."""
    program = f"import sys; {statement}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return {*ran.stdout.split()}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"recipients": "user-17"}, "recipients is not a list"),
        ({"tags": 3}, "tags is not a list"),
        ({"scheduled_for": datetime(2100, 1, 1)}, "scheduled_for has no offset"),  # noqa: DTZ001 - the fault
        ({"expires_at": "2100-01-01"}, "expires_at has no offset"),
        ({"payload": {"price": Decimal("1.10")}}, "payload cannot be written as JSON"),
        ({"payload": {"secret": float("nan")}}, "payload cannot be written as JSON"),
        ({"channels": [object()]}, "channels cannot be written as JSON"),
    ],
)
def test_what_is_no_json_is_refused_before_it_is_sent(values: dict[str, Any], sentence: str) -> None:
    """The sentence names the field and never a value, and neither does a printed notification."""
    given: dict[str, Any] = {"workflow_key": "order-shipped", "recipients": ["user-17"]} | values

    with pytest.raises(NotificationRefused, match=sentence) as raised:
        to_json([Notification(**given)])

    assert raised.value.__cause__ is None
    assert "user-17" not in f"{raised.value} {Notification(**given)}"


def test_an_absent_value_is_left_out() -> None:
    """The defaults of the table then hold."""
    later = Notification(
        "order-shipped", ("user-17",), {"order": 42}, scheduled_for=datetime(2100, 1, 1, tzinfo=UTC)
    )

    assert to_json([later, Notification("welcome", [])]) == (
        '[{"workflow_key": "order-shipped", "recipients": ["user-17"], "payload": {"order": 42}, "priority": 0,'
        ' "scheduled_for": "2100-01-01T00:00:00+00:00"},'
        ' {"workflow_key": "welcome", "recipients": [], "payload": {}, "priority": 0}]'
    )
