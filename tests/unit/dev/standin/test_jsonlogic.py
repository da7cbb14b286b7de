from typing import Any

import pytest

from xnovu_poller.dev.standin.jsonlogic import evaluate, fill

VALUES = {"payload": {"channels": ["email", "sms"], "tier": "pro", "count": 3, "none": None}}


def var(path: str) -> dict[str, str]:
    """Return the rule that reads a value."""
    return {"var": path}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"in": ["email", var("payload.channels")]}, True),
        ({"in": ["push", var("payload.channels")]}, False),
        ({"in": ["push", var("payload.missing")]}, False),
        ({"in": [var("payload.tier"), ["pro", "free"]]}, True),
        ({"in": ["r", var("payload.tier")]}, True),
        ({"and": [{"==": [var("payload.tier"), "pro"]}, {"!=": [var("payload.count"), 4]}]}, True),
        ({"or": [False, {"!": [var("payload.missing")]}]}, True),
        ({"!!": [var("payload.none")]}, False),
        (var("payload.channels.1"), "sms"),
        ({"var": ["payload.missing", "default"]}, "default"),
        ({"unknown": [1]}, None),
    ],
)
def test_a_rule_has_the_value_that_jsonlogic_gives_it(rule: Any, value: Any) -> None:  # noqa: ANN401 - JSON
    """Only the operators of usual conditions are known."""
    assert evaluate(rule, VALUES) == value


def test_liquids_paths_are_filled() -> None:
    """A path that leads nowhere shows nothing."""
    text = "{{payload.tier}}/{{ payload.channels.0 }}/{{- payload.none.x -}}/{{payload.count}}"

    assert fill(text, VALUES) == "pro/email//3"
