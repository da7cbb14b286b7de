import pytest

from xnovu_poller.dev.standin.calls import Refusal
from xnovu_poller.dev.standin.workflows import Workflow, Workflows, check_payload

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "plan": {"type": "string", "default": "free"},
        "place": {"type": "object", "properties": {"country": {"default": "CN"}}},
    },
}


def test_defaults_are_filled_in_at_any_depth() -> None:
    """Only where a member is missing; an absent object is not made up."""
    filled = check_payload({"name": "n", "plan": "pro", "place": {}}, SCHEMA)
    assert filled == {"name": "n", "plan": "pro", "place": {"country": "CN"}}
    assert check_payload({"name": "n"}, SCHEMA) == {"name": "n", "plan": "free"}


def test_a_mismatch_names_every_field() -> None:
    """400 with type, errors and schema."""
    with pytest.raises(Refusal) as refused:
        check_payload({"plan": 1}, SCHEMA)
    members = refused.value.members
    assert (refused.value.status, members["type"]) == (400, "PAYLOAD_VALIDATION_ERROR")
    assert {error["field"] for error in members["errors"]} == {"payload", "plan"}


def test_a_workflow_nobody_told_of_is_known_unless_switched_off() -> None:
    """What was told wins over the switch."""
    workflows = Workflows()
    workflows.tell("told", Workflow(active=False))
    assert workflows.find("other", known_unless_told=True).active
    assert not workflows.find("told", known_unless_told=False).active
    with pytest.raises(Refusal, match="workflow_not_found"):
        workflows.find("other", known_unless_told=False)
