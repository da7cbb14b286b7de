"""Decide what Novu's workflows need, from the rows, from the last writes, and from what Novu has. No server."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from xnovu_poller.lifecycle import OUR_KEY, Channel, WorkflowType
from xnovu_poller.store.workflow_sync import Kind, Record

Json = Mapping[str, Any]

IDENTIFIER = re.compile(r"[a-zA-Z0-9]+(?:[-_.][a-zA-Z0-9]+)*")
"""What Novu accepts as an identifier. Source: Novu, "Create a workflow"."""

LONGEST_NAME = 64

DESCRIPTION = (
    "Written by `xnovu workflows sync`. Change the rows of notify.ent_notification_workflow instead."
)

FIELDS: Mapping[Channel, tuple[str, ...]] = {
    Channel.IN_APP: ("subject", "body"),
    Channel.EMAIL: ("subject", "body"),
    Channel.SMS: ("body",),
    Channel.CHAT: ("body",),
    Channel.PUSH: ("subject", "body"),
}
"""What a step of each channel shows."""

EXTRAS: Mapping[Channel, Json] = {
    # Our templates escape HTML. Novu would escape the plain text of in-app notifications, which people would see.
    Channel.IN_APP: {"disableOutputSanitization": True},
    Channel.EMAIL: {"disableOutputSanitization": True, "editorType": "html"},
}


CONTROLS = frozenset({"subject", "body", "editorType", "disableOutputSanitization", "skip"})
"""The controls of a step that are ours; people may set the others, as the sender of a mail."""


class Action(StrEnum):
    """What to do about a workflow.

    CREATE, CHANGE: write it to Novu. SAME: Novu has it as it should be.
    STATIC: it is in Novu, where people write it.
    MISSING: it is STATIC, and Novu does not have it.
    FOREIGN: Novu has a workflow of this key that we did not write.
    EDITED: a person has changed in Novu what we wrote.
    INVALID: Novu cannot have it.
    UNUSED: we wrote it to Novu, and no published row needs it any more.
    """

    CREATE = "create"
    CHANGE = "change"
    SAME = "same"
    STATIC = "static"
    MISSING = "missing"
    FOREIGN = "foreign"
    EDITED = "edited"
    INVALID = "invalid"
    UNUSED = "unused"


WRITES = frozenset({Action.CREATE, Action.CHANGE})
OURS = WRITES | {Action.SAME}
"""After a sync, Novu has them as it should."""

PROBLEMS = frozenset({Action.MISSING, Action.FOREIGN, Action.EDITED, Action.INVALID})
"""What a person must decide."""


@dataclass(frozen=True, slots=True)
class Item:
    """The decision about a workflow.

    Attributes:
        document: our part of the workflow, as Novu should have it; None if it is not ours to write.
        reason: why it is not simply written, and what to do; None if there is nothing to explain.
    """

    key: str
    action: Action
    channels: tuple[Channel, ...] = ()
    document: Json | None = None
    reason: str | None = None


def build_document(kind: Kind) -> Json:
    """Return our part of a DYNAMIC workflow, as Novu should have it: a step for each channel."""
    return {
        "name": (kind.name or kind.key)[:LONGEST_NAME],
        "description": DESCRIPTION,
        "active": True,
        # The worker has validated the payload, and Novu's dialect of JSON Schema is another.
        "validatePayload": False,
        "payloadSchema": None if kind.schema is None else _allow_ours(kind.schema),
        "steps": [_build_step(channel) for channel in kind.channels],
    }


def _build_step(channel: Channel) -> Json:
    name = channel.lower()
    texts = {field: f"{{{{payload.{OUR_KEY}.rendered.{name}.{field}}}}}" for field in FIELDS[channel]}
    # Novu inverts it: a step is skipped if its `skip` is NOT met (docs/adr/0033-workflows-follow-the-rows.md).
    runs = {"in": [name, {"var": f"payload.{OUR_KEY}.channels"}]}
    return {"name": name, "type": name, "controlValues": {**texts, **EXTRAS.get(channel, {}), "skip": runs}}


def _allow_ours(schema: Json) -> Json:
    """Return a schema that allows our key too; Novu's editor knows the texts by it."""
    texts = {"type": "object", "properties": {"subject": {"type": "string"}, "body": {"type": "string"}}}
    ours = {
        "type": "object",
        "properties": {
            "channels": {"type": "array", "items": {"type": "string"}},
            "rendered": {"type": "object", "properties": {channel.lower(): texts for channel in Channel}},
        },
    }
    properties = schema.get("properties")
    return {**schema, "properties": {**(properties if isinstance(properties, dict) else {}), OUR_KEY: ours}}


def extract(current: Json) -> Json:
    """Return our part of a workflow as Novu has it, in the form of `build_document`."""
    return {
        "name": current.get("name"),
        "description": current.get("description") or "",
        "active": current.get("active", current.get("status") != "INACTIVE"),
        "validatePayload": bool(current.get("validatePayload")),
        "payloadSchema": current.get("payloadSchema") or None,
        "steps": [
            {
                "name": step.get("name"),
                "type": step.get("type"),
                "controlValues": {
                    name: value for name, value in _read_controls(step).items() if name in CONTROLS
                },
            }
            for step in current["steps"]
        ],
    }


def _read_controls(step: Json) -> Json:
    """Return the controls of a step that have a value."""
    controls = step.get("controls")
    values = step.get("controlValues") or (controls.get("values") if isinstance(controls, dict) else None)
    found = values if isinstance(values, dict) else {}
    return {name: value for name, value in found.items() if value is not None}


def matches(shown: Json, document: Json) -> bool:
    """Return whether Novu shows all that a document has; Novu may add controls of its own to a step."""
    pairs: list[tuple[Json, Json]] = [({**shown, "steps": None}, {**document, "steps": None})]
    if len(shown["steps"]) != len(document["steps"]):
        return False
    for step, ours in zip(shown["steps"], document["steps"], strict=True):
        values = {name: step["controlValues"].get(name) for name in ours["controlValues"]}
        pairs.append(({**step, "controlValues": values}, ours))
    return all(left == right for left, right in pairs)


def digest(kinds: Sequence[Kind]) -> str:
    """Return a short text that changes with the rows."""
    return hashlib.sha256(repr(kinds).encode()).hexdigest()


def decide(
    kinds: Sequence[Kind],
    records: Mapping[str, Record],
    keys: Collection[str],
    current: Mapping[str, Json],
    *,
    force: bool = False,
) -> list[Item]:
    """Decide about each workflow, by key.

    Args:
        kinds: the published rows.
        records: the last writes to Novu, by key.
        keys: the identifiers of all workflows in Novu.
        current: the workflows in Novu that have DYNAMIC rows.
        force: overwrite what a person has changed.
    """
    dynamic = {kind.key: kind for kind in kinds if kind.type is WorkflowType.DYNAMIC}
    items = [
        decide_dynamic(kind, records.get(kind.key), current.get(kind.key), force=force)
        for kind in dynamic.values()
    ]
    items += [_decide_static(kind, exists=kind.key in keys) for kind in kinds if kind.key not in dynamic]
    used = {item.key for item in items}
    items += [Item(key, Action.UNUSED, reason=_UNUSED) for key in records if key in keys and key not in used]
    return sorted(items, key=lambda item: item.key)


def find_mixed(kinds: Sequence[Kind]) -> list[str]:
    """Return the keys that have STATIC rows and DYNAMIC rows: what we write for one type is wrong for the other."""
    static = {kind.key for kind in kinds if kind.type is WorkflowType.STATIC}
    return sorted(static & {kind.key for kind in kinds if kind.type is WorkflowType.DYNAMIC})


def _decide_static(kind: Kind, *, exists: bool) -> Item:
    if exists:
        return Item(kind.key, Action.STATIC, kind.channels)
    if IDENTIFIER.fullmatch(kind.key):
        return Item(kind.key, Action.MISSING, kind.channels, reason=_MISSING)
    return Item(kind.key, Action.INVALID, kind.channels, reason=_INVALID)


def decide_dynamic(kind: Kind, record: Record | None, current: Json | None, *, force: bool) -> Item:
    """Decide about a workflow with DYNAMIC rows; `current` is None if Novu does not have it."""
    document = build_document(kind)
    reason: str | None = None
    if not IDENTIFIER.fullmatch(kind.key):
        action, reason = Action.INVALID, _INVALID
    elif not kind.channels:
        action, reason = Action.INVALID, _NO_CHANNEL
    elif current is not None:
        action, reason = _compare(document, record, extract(current), force=force)
    elif record is not None and record.identifier != kind.key and not force:
        action, reason = Action.INVALID, _MISNAMED.format(record.identifier)
    else:
        action = Action.CREATE
    return Item(kind.key, action, kind.channels, document, reason)


def _compare(document: Json, record: Record | None, shown: Json, *, force: bool) -> tuple[Action, str | None]:
    """Return what to do about a workflow that Novu has."""
    if matches(shown, document):
        return Action.SAME, None
    if record is None:
        return Action.FOREIGN, _FOREIGN
    if shown != record.answered:
        return (Action.CHANGE, None) if force else (Action.EDITED, _EDITED)
    # Novu may keep a part of a document in another form than it was sent.
    return (Action.SAME if document == record.written else Action.CHANGE), None


MIXED = (
    "some of its rows are STATIC and others DYNAMIC, and it is written for the DYNAMIC rows, so the notifications of the"
    " others arrive without text; give them another workflow_key, or make all of one type"
)
_UNUSED = "no published row needs it any more; delete it in Novu if nothing else triggers it"
_MISSING = "it is STATIC and not in Novu, so its notifications will end DEAD; create it in Novu"
_NO_CHANNEL = "its rows have no channel; write default_channels"
_FOREIGN = "Novu has a workflow of this key that we did not write; delete it there, or make the row STATIC"
_EDITED = "a person has changed it in Novu; write it again with --force, or undo the change there"
_MISNAMED = "Novu created it as {}, where no trigger finds it; delete that in Novu, then sync with --force"
_INVALID = (
    "its key cannot be an identifier of Novu, which has letters and digits, and a single - _ or . between them;"
    " choose another workflow_key"
)


def build_update(document: Json, current: Json) -> dict[str, Any]:
    """Return the body that replaces a workflow: other people's part stays, and a step of the same type keeps its id."""
    left = {step["type"]: step for step in reversed(current["steps"])}
    kept = {
        name: current[name]
        for name in ("tags", "severity", "isTranslationEnabled")
        if current.get(name) is not None
    }
    preferences = current.get("preferences")
    known = preferences if isinstance(preferences, dict) else {}
    return {
        **kept,
        **document,
        "origin": current.get("origin", "novu-cloud"),
        "preferences": {"user": known.get("user"), "workflow": known.get("default")},
        "steps": [
            _keep_step(step, left[step["type"]]) if step["type"] in left else step
            for step in document["steps"]
        ],
    }


def _keep_step(ours: Json, current: Json) -> Json:
    """Return a step with the id that Novu has given it, and the controls that people have set."""
    theirs = {name: value for name, value in _read_controls(current).items() if name not in CONTROLS}
    return {**ours, "_id": current.get("_id"), "controlValues": {**theirs, **ours["controlValues"]}}


def find_issues(key: str, current: Json) -> Iterator[str]:
    """Yield a sentence for each reason why Novu would not send a workflow as its rows ask for it."""
    if current["workflowId"] != key:
        yield f"Novu calls it {current['workflowId']}, where no trigger finds it"
    if current.get("status") != "ACTIVE":
        yield f"its status in Novu is {current.get('status')}"
    yield from _find_sentences("", current.get("issues"))
    for step in current["steps"]:
        issues = step.get("issues")
        for part in issues.values() if isinstance(issues, dict) else ():
            yield from _find_sentences(f"step {step['type']}, ", part)


def _find_sentences(where: str, issues: object) -> Iterator[str]:
    """Yield each issue with the field that has it."""
    for field, found in issues.items() if isinstance(issues, dict) else ():
        for issue in found if isinstance(found, list) else [found]:
            message = issue.get("message") if isinstance(issue, dict) else None
            yield f"{where}{field}: {message or 'has an issue'}"
