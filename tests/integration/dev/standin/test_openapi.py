import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN

DOCUMENT = json.loads((Path(__file__).parents[3] / "support" / "openapi" / "novu.json").read_text())
SUBSCRIBER = {"subscriberId": "s-1", "firstName": "Mei", "data": {"plan": "free"}, "phone": None}
STEPS = [
    {"name": type_, "type": type_, "controlValues": {"subject": "{{payload.a}}", "body": "{{b}}"}}
    for type_ in ("in_app", "email", "sms", "chat", "push")
]
WORKFLOW = {"name": "Welcome", "workflowId": "made", "active": True, "steps": STEPS}
EVENT = {"name": "welcome", "to": "s-1", "payload": {}}

# Method, the document's path, query, body, status; each call depends on those before it.
WALK: list[tuple[str, str, str, Any, int]] = [
    ("POST", "/v2/subscribers", "", SUBSCRIBER, 201),
    ("POST", "/v2/subscribers", "?failIfExists=true", SUBSCRIBER, 409),
    ("POST", "/v2/subscribers", "", {}, 422),
    ("GET", "/v2/subscribers", "?limit=1", None, 200),
    ("GET", "/v2/subscribers/{subscriberId}", "", None, 200),
    ("PATCH", "/v2/subscribers/{subscriberId}", "", {"locale": "zh_CN"}, 200),
    ("POST", "/v1/subscribers/bulk", "", {"subscribers": [SUBSCRIBER, {}, {"subscriberId": "s-2"}]}, 201),
    ("POST", "/v1/subscribers/bulk", "", {"subscribers": []}, 422),
    ("POST", "/v2/topics", "", {"key": "all", "name": "Everybody"}, 201),
    ("POST", "/v2/topics", "", {"key": "all"}, 200),
    ("POST", "/v2/topics", "?failIfExists=true", {"key": "all"}, 409),
    ("POST", "/v2/topics", "", {"key": "no key"}, 422),
    ("GET", "/v2/topics", "", None, 200),
    ("GET", "/v2/topics/{topicKey}", "", None, 200),
    ("PATCH", "/v2/topics/{topicKey}", "", {"name": "All"}, 200),
    ("POST", "/v2/topics/{topicKey}/subscriptions", "", {"subscriptions": ["s-1", "stranger"]}, 201),
    ("GET", "/v2/topics/{topicKey}/subscriptions", "", None, 200),
    ("DELETE", "/v2/topics/{topicKey}/subscriptions", "", {"subscriptions": ["s-1", "stranger"]}, 200),
    ("DELETE", "/v2/topics/{topicKey}", "", None, 200),
    ("DELETE", "/v2/topics/{topicKey}", "", None, 404),
    ("POST", "/v1/events/trigger", "", EVENT, 201),
    ("POST", "/v1/events/trigger", "", {}, 422),
    ("POST", "/v1/events/trigger", "", {**EVENT, "name": "gone"}, 422),
    ("POST", "/v1/events/trigger", "", {**EVENT, "name": "strict"}, 400),
    ("POST", "/v1/events/trigger", "", {**EVENT, "payload": {"text": "x" * 524_288}}, 413),
    ("POST", "/v1/events/trigger/bulk", "", {"events": [EVENT, {"name": "gone", "to": "s-1"}]}, 201),
    ("POST", "/v1/events/trigger/broadcast", "", {"name": "welcome", "payload": {}}, 201),
    ("DELETE", "/v1/events/trigger/{transactionId}", "", None, 200),
    ("GET", "/v1/notifications", "", None, 200),
    ("POST", "/v2/workflows", "", WORKFLOW, 201),
    ("POST", "/v2/workflows", "", WORKFLOW, 409),
    ("POST", "/v2/workflows", "", {**WORKFLOW, "workflowId": "two words"}, 422),
    ("GET", "/v2/workflows", "?limit=1", None, 200),
    ("GET", "/v2/workflows/{workflowId}", "", None, 200),
    ("PUT", "/v2/workflows/{workflowId}", "", {**WORKFLOW, "preferences": {}, "origin": "novu-cloud"}, 200),
    ("PUT", "/v2/workflows/{workflowId}", "", WORKFLOW, 422),
    ("PATCH", "/v2/workflows/{workflowId}", "", {"active": True}, 200),
    ("DELETE", "/v2/workflows/{workflowId}", "", None, 204),
    ("GET", "/v2/workflows/{workflowId}", "", None, 404),
    ("GET", "/v1/environments", "", None, 200),
    ("DELETE", "/v2/subscribers/{subscriberId}", "", None, 200),
    ("GET", "/v2/subscribers/{subscriberId}", "", None, 404),
]


def as_json_schema(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Convert OpenAPI 3.0's `nullable` and `discriminator` to JSON Schema."""
    if isinstance(node, list):
        return [as_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "discriminator" in node:
        name, kinds = node["discriminator"]["propertyName"], node["discriminator"]["mapping"]
        return {
            "anyOf": [
                {"allOf": [{"$ref": ref}, {"properties": {name: {"const": kind}}}]}
                for kind, ref in kinds.items()
            ]
        }
    written = {name: as_json_schema(part) for name, part in node.items() if name != "nullable"}
    return {"anyOf": [written, {"type": "null"}]} if node.get("nullable") is True else written


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    """The document's schemas as JSON Schema."""
    return {"schemas": as_json_schema(DOCUMENT["components"]["schemas"])}


def test_every_answer_matches_the_document(novu_standin: NovuStandIn, components: dict[str, Any]) -> None:
    """The test makes every call of the document that the stand-in serves, with its usual refusals."""
    novu_standin.workflow("gone", known=False)
    novu_standin.workflow("strict", payload_schema={"required": ["amount"]})
    names = {"{subscriberId}": "s-1", "{topicKey}": "all", "{transactionId}": "t-1", "{workflowId}": "made"}
    called = set()
    headers = {"Authorization": "ApiKey k"}
    with httpx.Client(base_url=novu_standin.url, headers=headers, timeout=WITHIN) as client:
        for method, path, query, body, status in WALK:
            address = path
            for placeholder, value in names.items():
                address = address.replace(placeholder, value)
            response = client.request(method, address + query, json=body)
            assert (method, path, response.status_code) == (method, path, status), response.text
            validate(method, path, response, components)
            called.add((method.lower(), path))
    described = {(method, path) for path, calls in DOCUMENT["paths"].items() for method in calls}
    assert called == described


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503])
def test_every_scripted_status_matches_the_document(
    novu_standin: NovuStandIn, components: dict[str, Any], status: int
) -> None:
    """An error body, or a plain string where the document has one."""
    novu_standin.fault("status", status=status)
    headers = {"Authorization": "ApiKey k"}
    url = f"{novu_standin.url}/v1/events/trigger"
    response = httpx.post(url, json=EVENT, headers=headers, timeout=WITHIN)
    assert response.status_code == status
    validate("POST", "/v1/events/trigger", response, components)


def validate(method: str, path: str, response: httpx.Response, components: dict[str, Any]) -> None:
    """Compare an answer, without its envelope, with the document."""
    described = DOCUMENT["paths"][path][method.lower()]["responses"][str(response.status_code)]
    if "content" not in described:
        assert response.content == b""
        return
    schema = as_json_schema(described["content"]["application/json"]["schema"])
    body = response.json()
    if response.is_success and set(body) == {"data"}:
        body = body["data"]
    Draft202012Validator({**schema, "components": components}).validate(body)
