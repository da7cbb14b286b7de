"""Whether a notification may be sent: its workflow is published, and its payload fits the schema."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

import jsonschema_rs

from xnovu_poller.errors import PayloadInvalid, Poison, WorkflowNotFound
from xnovu_poller.lifecycle import MAX_LAPSES, PublishStatus
from xnovu_poller.store.engine import Unreadable
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.workflows import Workflow

CACHED_SCHEMAS = 1024

MOST_PARTS = 10_000
"""Refuse a schema with more parts, counted with all references followed: twenty lines can amount to billions."""

MOST_PARTS_BESIDE_UNEVALUATED = 500
"""The limit if `unevaluatedProperties` or `unevaluatedItems` is used: each looks through everything beside it."""

MOST_CHECKS = 20_000_000
"""Parts of the schema times bytes of the payload: above this, a check could block the process for seconds."""

# The target of these keywords depends on the path by which they are reached.
_WANDERING = frozenset({"$dynamicRef", "$recursiveRef"})
_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})


class Schemas:
    """The compiled schemas of workflows, by id and version.

    Tenants write schemas, so patterns run on an engine whose time is linear in the text. A reference may not lead
    outside the schema. It may not lead back to itself either, because the checks could double with each step. Source: jsonschema-rs, "Regular expressions", "offline".
    """

    def __init__(self) -> None:
        self._compiled: dict[tuple[int, datetime], _Compiled | str] = {}

    def check(self, workflow: Workflow, payload: dict[str, Any]) -> None:
        """Check a payload against its workflow's schema.

        Raises:
            PayloadInvalid: the payload breaks a keyword of the schema, or the schema cannot be used. The error has
                the path and the keyword, never the value.
        """
        if workflow.schema is None:
            return
        compiled = self._compile(workflow.id, workflow.version, workflow.schema)
        if isinstance(compiled, str):
            raise PayloadInvalid("$", f"cannot be checked: {compiled}")
        if compiled.parts * len(json.dumps(payload)) > MOST_CHECKS:
            raise PayloadInvalid("$", "is too large for its payload_schema")
        fault = _fault(compiled.validator, workflow.schema, payload)
        if fault is not None:
            raise fault

    def _compile(self, id_: int, version: datetime, schema: dict[str, Any]) -> "_Compiled | str":
        """Return the compiled schema of a workflow, or why it cannot be used."""
        # Take it out and put it in again, so that the first entry of the dictionary is the least recently used.
        compiled = self._compiled.pop((id_, version), None)
        if compiled is None:
            compiled = _compile(schema)
        if len(self._compiled) >= CACHED_SCHEMAS:
            del self._compiled[next(iter(self._compiled))]
        self._compiled[id_, version] = compiled
        return compiled


class _Compiled(NamedTuple):
    """A schema that is ready for use; `parts` is how many it has with all references followed."""

    validator: jsonschema_rs.Validator
    parts: int


def _compile(schema: dict[str, Any]) -> _Compiled | str:
    """Count the parts of a schema and compile it, or return why it cannot be used."""
    # Count first: compiling a large schema can use all memory.
    try:
        weighing = _Weighing(schema)
        parts = weighing.weigh(schema)
    except (LookupError, TypeError, ValueError, RecursionError):
        return "payload_schema refers to itself, or otherwise than by #/"
    most = MOST_PARTS_BESIDE_UNEVALUATED if weighing.unevaluated else MOST_PARTS
    if isinstance(schema, Unreadable) or parts > most:
        return "payload_schema is too large"
    try:
        validator = jsonschema_rs.validator_for(
            schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return "payload_schema is not a JSON Schema"
    return _Compiled(validator, parts)


class _Weighing:
    """Counts the parts of a schema, constants included, each as often as references lead to it.

    Attributes:
        unevaluated: the schema uses `unevaluatedProperties` or `unevaluatedItems`.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self.unevaluated = False
        self._known: dict[str, int] = {}
        self._following: set[str] = set()
        # References inside a part with an id are relative to that part.
        self._ids = {"$id", "id"} if "draft-04" in str(root.get("$schema")) else {"$id"}

    def weigh(self, node: object) -> int:
        """Return the number of parts of a node.

        Raises:
            LookupError: a reference leads back to itself, or cannot be followed here.
        """
        if isinstance(node, list):
            return 1 + sum(map(self.weigh, node))
        if not isinstance(node, dict):
            return 1
        self.unevaluated |= not _UNEVALUATED.isdisjoint(node)
        named = any(isinstance(node.get(name), str) for name in self._ids)
        if _WANDERING & node.keys() or (named and node is not self._root):
            raise LookupError
        return 1 + sum(
            self._follow(part) if name == "$ref" and isinstance(part, str) else self.weigh(part)
            for name, part in node.items()
        )

    def _follow(self, reference: str) -> int:
        if reference in self._following:
            raise LookupError
        if reference not in self._known:
            self._following.add(reference)
            self._known[reference] = self.weigh(self._resolve(reference))
            self._following.remove(reference)
        return self._known[reference]

    def _resolve(self, reference: str) -> object:
        """Return the node that a JSON pointer names; `#` is the root."""
        first, *steps = unquote(reference).split("/")
        if first != "#":
            raise LookupError
        node: Any = self._root
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            node = node[int(name)] if isinstance(node, list) else node[name]
        return node


def require_usable(held: Held, workflow: Workflow | None) -> Workflow:
    """Return the workflow of a notification, if it may be sent.

    Raises:
        Poison: sending the notification killed its process too often.
        WorkflowNotFound: the workflow is missing, another enterprise's, unpublished or deactivated.
        PayloadInvalid: Python cannot read the payload or the overrides.
    """
    if held.lapses > MAX_LAPSES:
        raise Poison(held.lapses)
    if workflow is None or workflow.enterprise_id not in {None, held.enterprise_id}:
        name = "(none)" if held.workflow_id is None else str(held.workflow_id)
        raise WorkflowNotFound(name, "this enterprise has no such workflow")
    if workflow.publish_status is not PublishStatus.PUBLISH:
        raise WorkflowNotFound(workflow.key, f"is {workflow.publish_status.value}, not PUBLISH")
    if workflow.deactivated:
        raise WorkflowNotFound(workflow.key, "is deactivated")
    if isinstance(held.payload, Unreadable) or isinstance(held.overrides, Unreadable):
        raise PayloadInvalid(
            "$", "or its overrides cannot be read: JSON nested too deep, or a number is too long"
        )
    return workflow


def _fault(
    compiled: jsonschema_rs.Validator, schema: dict[str, Any], payload: dict[str, Any]
) -> PayloadInvalid | None:
    """Return the first broken rule, in a sentence of ours, because the library's message quotes the value."""
    try:
        compiled.validate(payload)
    except jsonschema_rs.ValidationError as found:
        keyword = str(found.schema_path[-1]) if found.schema_path else "false"
        return PayloadInvalid(_path(found, schema), f"breaks {keyword!r} of the workflow's payload_schema")
    except ValueError:
        return PayloadInvalid("$", "is nested too deep")
    return None


def _path(fault: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> str:
    """Return the path of a fault; hide names that only the payload has, because they may identify a person."""
    words = _words(schema)
    path = "$"
    for step in fault.instance_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step if step in words else '*'}"
    missing = getattr(fault.kind, "property", None)
    return f"{path}.{missing}" if missing and fault.schema_path[-1:] == ["required"] else path


def _words(node: object) -> set[str]:
    match node:
        case dict():
            return set(node).union(*map(_words, node.values()))
        case list():
            return set().union(*map(_words, node))
        case _:
            return set()
