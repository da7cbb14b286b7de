"""The calls under /v2/workflows and the environments between which workflows are published."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from xnovu_poller.dev.standin.calls import Answer, Call, Json, Refusal, format_time, invalid, success
from xnovu_poller.dev.standin.jsonlogic import evaluate, fill
from xnovu_poller.dev.standin.subscribers import ENVIRONMENT

IDENTIFIER = re.compile(r"[a-zA-Z0-9]+(?:[-_.][a-zA-Z0-9]+)*")
SHOWN = {
    "in_app": ("subject", "body"),
    "email": ("subject", "body"),
    "sms": ("body",),
    "chat": ("body",),
    "push": ("subject", "body"),
}
"""The controls of a step that a person sees, by type."""

NAMESPACES = ("payload.", "subscriber.", "workflow.", "context.", "env.", "steps.")
DEVELOPMENT, PRODUCTION = ENVIRONMENT["_environmentId"], "standin-production"
NAMES = {DEVELOPMENT: "Development", PRODUCTION: "Production"}
PREFERENCES = {
    "all": {"enabled": True, "readOnly": False},
    "channels": {name: {"enabled": True} for name in SHOWN},
}
CONTENT = (
    "name",
    "description",
    "tags",
    "validatePayload",
    "payloadSchema",
    "isTranslationEnabled",
    "severity",
)
PATCHED = (*CONTENT, "active")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a workflow, as a trigger carries it out."""

    type: str
    controls: Mapping[str, Json]

    def runs(self, values: Json) -> bool:
        """Return whether it runs. Novu inverts `skip`: a step whose condition is not met is skipped."""
        condition = self.controls.get("skip")
        return not condition or bool(evaluate(condition, values))

    def texts(self, values: Json) -> dict[str, str]:
        """Return what a person sees."""
        return {
            name: fill(str(self.controls[name]), values)
            for name in SHOWN.get(self.type, ())
            if self.controls.get(name) is not None
        }


class WorkflowRoutes:
    """The workflows that were created by calls, in two environments; triggers see those of Development."""

    def __init__(self) -> None:
        self._environments: dict[str, dict[str, dict[str, Json]]] = {name: {} for name in NAMES}

    def clear(self) -> None:
        """Forget all workflows."""
        for workflows in self._environments.values():
            workflows.clear()

    @property
    def _known(self) -> dict[str, dict[str, Json]]:
        return self._environments[DEVELOPMENT]

    def find(self, identifier: str) -> dict[str, Json] | None:
        """Return a workflow, or None if no call has created it."""
        return self._known.get(identifier)

    def list_steps(self, identifier: str) -> tuple[Step, ...]:
        """Return the steps of a workflow; none if no call has created it."""
        known = self.find(identifier) or {"steps": []}
        return tuple(Step(step["type"], step["controlValues"]) for step in known["steps"])

    def create(self, call: Call) -> Answer:
        """POST /v2/workflows."""
        members = call.fields()
        identifier = members.get("workflowId")
        if not isinstance(identifier, str) or not IDENTIFIER.fullmatch(identifier):
            raise invalid({"workflowId": ["workflowId must match the slug pattern"]})
        if identifier in self._known:
            raise Refusal(409, f"Workflow with identifier {identifier} already exists")
        now = format_time(datetime.now(UTC))
        made = {
            "_id": uuid.uuid4().hex[:24],
            "workflowId": identifier,
            "createdAt": now,
            "origin": "novu-cloud",
        }
        self._known[identifier] = _write(made, members)
        return success(201, self._known[identifier])

    def update(self, call: Call) -> Answer:
        """PUT /v2/workflows/{workflowId}: a full replacement."""
        known, members = self._require(call), call.fields()
        missing = [name for name in ("name", "steps", "preferences", "origin") if name not in members]
        if missing:
            raise invalid({name: [f"{name} should not be null or undefined"] for name in missing})
        kept = {name: known[name] for name in ("_id", "workflowId", "createdAt", "origin")}
        self._known[known["workflowId"]] = _write(kept, members, known["steps"])
        return success(200, self._known[known["workflowId"]])

    def patch(self, call: Call) -> Answer:
        """PATCH /v2/workflows/{workflowId}: without its steps."""
        known = self._require(call)
        known.update({name: value for name, value in call.fields().items() if name in PATCHED})
        return success(200, _refresh(known))

    def get(self, call: Call) -> Answer:
        """GET /v2/workflows/{workflowId}."""
        return success(200, self._require(call))

    def delete(self, call: Call) -> Answer:
        """DELETE /v2/workflows/{workflowId}."""
        del self._known[self._require(call)["workflowId"]]
        return Answer(204, b"")

    def list(self, call: Call) -> Answer:
        """GET /v2/workflows: filtered by a part of name or identifier, newest first."""
        sought = call.query.get("query", "").lower()
        found = [
            known
            for known in reversed(self._known.values())
            if sought in f"{known['name']} {known['workflowId']}".lower()
        ]
        offset, limit = (
            int(float(call.query.get(name, text))) for name, text in (("offset", "0"), ("limit", "50"))
        )
        page = [_summarise(known) for known in found[offset : offset + limit]]
        return success(200, {"workflows": page, "totalCount": len(found)})

    def list_environments(self, _: Call) -> Answer:
        """GET /v1/environments."""
        return success(200, [
            {"_id": id_, "name": name, "identifier": id_, "_organizationId": ENVIRONMENT["_organizationId"], "apiKeys": []}
            for id_, name in NAMES.items()
        ])  # fmt: skip

    def compare(self, call: Call) -> Answer:
        """POST /v2/environments/{environmentId}/diff."""
        source, target = self._environments_of(call)
        found = list(self._differences(source, target))
        return success(200, {
            "sourceEnvironmentId": source,
            "targetEnvironmentId": target,
            "resources": found,
            "summary": {"totalEntities": len(found), "totalChanges": len(found), "hasChanges": bool(found)},
        })  # fmt: skip

    def publish(self, call: Call) -> Answer:
        """POST /v2/environments/{environmentId}/publish: copies the named workflows, or all that the source has."""
        source, target = self._environments_of(call)
        resources = call.fields().get("resources")
        wanted = (
            {resource["resourceId"] for resource in resources}
            if resources
            else set(self._environments[source])
        )
        dry_run = bool(call.fields().get("dryRun"))
        changed = {found["sourceResource"]["id"] for found in self._differences(source, target)}
        done: dict[str, list[dict[str, Json]]] = {"successful": [], "failed": [], "skipped": []}
        for identifier in sorted(wanted & set(self._environments[source])):
            known = self._environments[source][identifier]
            entry = {"resourceType": "workflow", "resourceId": identifier, "resourceName": known["name"]}
            if dry_run or identifier not in changed:
                done["skipped"].append({**entry, "reason": "Dry run" if dry_run else "No changes"})
                continue
            action = "updated" if identifier in self._environments[target] else "created"
            self._environments[target][identifier] = {**known, "_id": uuid.uuid4().hex[:24]}
            done["successful"].append({**entry, "action": action})
        counts = {name: len(entries) for name, entries in done.items()}
        total = sum(counts.values())
        result = {"resourceType": "workflow", **done, "totalProcessed": total}
        return success(200, {"results": [result], "summary": {"resources": total, **counts}})

    def _environments_of(self, call: Call) -> tuple[str, str]:
        source, target = call.fields().get("sourceEnvironmentId") or DEVELOPMENT, call.names["environmentId"]
        if source not in NAMES or target not in NAMES:
            raise Refusal(400, "Invalid environment ID format")
        if source == target:
            raise Refusal(400, "Source and target environments cannot be the same")
        return source, target

    def _differences(self, source: str, target: str) -> Iterator[dict[str, Json]]:
        for identifier, known in self._environments[source].items():
            there = self._environments[target].get(identifier)
            if there is not None and {**there, "_id": known["_id"]} == known:
                continue
            sides = {
                "sourceResource": {"id": identifier, "name": known["name"]},
                "targetResource": None if there is None else {"id": identifier, "name": there["name"]},
            }
            action = "added" if there is None else "modified"
            yield {
                "resourceType": "workflow",
                **sides,
                "changes": [{"resourceType": "workflow", "action": action, **sides}],
                "summary": {"added": 0, "modified": 0, "deleted": 0, "unchanged": 0, action: 1},
            }

    def _require(self, call: Call) -> dict[str, Json]:
        name = call.names["workflowId"]
        known = self.find(name) or next((one for one in self._known.values() if one["_id"] == name), None)
        if known is None:
            raise Refusal(404, "Workflow cannot be found", workflowId=name)
        return known


def _write(
    kept: dict[str, Json], members: Mapping[str, Json], known: list[dict[str, Json]] | None = None
) -> dict[str, Json]:
    """Return a workflow with new content; steps keep their ids if the call names them."""
    steps = members.get("steps")
    if not isinstance(members.get("name"), str) or not isinstance(steps, list):
        raise invalid({"name": ["name must be a string"], "steps": ["steps must be an array"]})
    ids = {step["_id"] for step in known or ()}
    preferences = members.get("preferences") or {}
    return _refresh({
        **kept,
        **{name: members[name] for name in CONTENT if name in members},
        "active": members.get("active", False),
        "severity": members.get("severity", "none"),
        "slug": f"{members['name']}_wf_{kept['_id']}",
        "preferences": {
            "user": preferences.get("user"),
            "default": preferences.get("workflow") or PREFERENCES,
        },
        "steps": [_write_step(step, kept, ids) for step in steps],
    })  # fmt: skip


def _write_step(step: Json, workflow: Mapping[str, Json], ids: set[str]) -> dict[str, Json]:
    if not isinstance(step, dict) or not all(isinstance(step.get(name), str) for name in ("name", "type")):
        raise invalid({"steps": ["each step must have a name and a type"]})
    controls = step.get("controlValues") or {}
    id_ = step["_id"] if step.get("_id") in ids else uuid.uuid4().hex[:24]
    return {
        "_id": id_,
        "stepId": step.get("stepId") or step["name"],
        "name": step["name"],
        "slug": f"{step['name']}_st_{id_}",
        "type": step["type"],
        "origin": "novu-cloud",
        "workflowId": workflow["workflowId"],
        "workflowDatabaseId": workflow["_id"],
        "controls": {"values": controls},
        "controlValues": controls,
        "variables": {},
        "issues": _find_issues(step["type"], controls),
    }


def _find_issues(kind: str, controls: Mapping[str, Json]) -> dict[str, Json]:
    """Return the controls of a step that Novu would not accept: they fail no call."""
    found: dict[str, list[dict[str, Json]]] = {}
    for name in SHOWN.get(kind, ()):
        if kind == "email" and not controls.get(name):
            found[name] = [{"issueType": "MISSING_VALUE", "message": f"{name.capitalize()} is required"}]
        for path in re.findall(r"\{\{-?\s*([^}|\s]*)", str(controls.get(name) or "")):
            if not path.startswith(NAMESPACES):
                message = f"Variable {path} is not supported"
                issue = {
                    "issueType": "ILLEGAL_VARIABLE_IN_CONTROL_VALUE",
                    "message": message,
                    "variableName": path,
                }
                found.setdefault(name, []).append(issue)
    return {"controls": found} if found else {}


def _refresh(known: dict[str, Json]) -> dict[str, Json]:
    """Return a workflow with its time and status."""
    status = "ACTIVE" if known["active"] else "INACTIVE"
    if known["active"] and any(step["issues"] for step in known["steps"]):
        status = "ERROR"
    known.update(status=status, updatedAt=format_time(datetime.now(UTC)))
    return known


def _summarise(known: Mapping[str, Json]) -> dict[str, Json]:
    names = ("_id", "workflowId", "name", "tags", "slug", "status", "origin", "createdAt", "updatedAt")
    return {
        **{name: known[name] for name in names if name in known},
        "stepTypeOverviews": [step["type"] for step in known["steps"]],
        "steps": [{name: step[name] for name in ("slug", "type", "issues")} for step in known["steps"]],
    }
