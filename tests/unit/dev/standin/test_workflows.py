import pytest

from xnovu_poller.dev.standin.calls import Refusal
from xnovu_poller.dev.standin.workflow_routes import WorkflowRoutes
from xnovu_poller.dev.standin.workflows import WorkflowBehaviour, Workflows, check_payload

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
    """A missing member is filled in, but a missing object is not created."""
    filled = check_payload({"name": "n", "plan": "pro", "place": {}}, SCHEMA)
    assert filled == {"name": "n", "plan": "pro", "place": {"country": "CN"}}
    assert check_payload({"name": "n"}, SCHEMA) == {"name": "n", "plan": "free"}


def test_a_mismatch_names_every_field() -> None:
    """The answer is 400 with type, errors and schema."""
    with pytest.raises(Refusal) as refused:
        check_payload({"plan": 1}, SCHEMA)
    members = refused.value.members
    assert (refused.value.status, members["type"]) == (400, "PAYLOAD_VALIDATION_ERROR")
    assert {error["field"] for error in members["errors"]} == {"payload", "plan"}


def test_other_workflows_are_known_unless_switched_off() -> None:
    """A workflow that was set keeps its own behaviour."""
    workflows = Workflows(WorkflowRoutes())
    workflows.set("set", WorkflowBehaviour(active=False))
    assert workflows.find("other", is_known_by_default=True).active
    assert not workflows.find("set", is_known_by_default=False).active
    with pytest.raises(Refusal, match="workflow_not_found"):
        workflows.find("other", is_known_by_default=False)
