"""The plan: what Novu's workflows need, from rows, records and what Novu has."""

from typing import Any

import pytest

from xnovu_poller.lifecycle import Channel, WorkflowType
from xnovu_poller.store.workflow_sync import Kind, Record
from xnovu_poller.sync import plan
from xnovu_poller.sync.plan import Action, Item, build_document, build_update, decide, extract, find_issues

MAIL = (Channel.EMAIL,)
BOTH = (Channel.IN_APP, Channel.EMAIL)


def kind(key: str = "welcome", type_: str = "DYNAMIC", **columns: Any) -> Kind:  # noqa: ANN401 - any column
    """Return the rows of a key."""
    chosen = {"rows": 1, "name": None, "channels": MAIL, "schema": None} | columns
    return Kind(key=key, type=WorkflowType(type_), **chosen)


def in_novu(wanted: Kind, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any member
    """Return a workflow as Novu shows it after a write."""
    document = build_document(wanted)
    steps = [
        {**step, "_id": f"id-{step['type']}", "controls": {"values": {"layoutId": None, **step["controlValues"]}}}
        for step in document["steps"]
    ]  # fmt: skip
    shown = {
        "workflowId": wanted.key,
        "origin": "novu-cloud",
        "status": "ACTIVE",
        "preferences": {"default": {"all": {}}},
    }
    return {**document, **shown, "steps": steps, "tags": ["orders"], **changes}


def recorded(wanted: Kind, identifier: str | None = None) -> Record:
    """Return the record of a write."""
    return Record(identifier or wanted.key, build_document(wanted), extract(in_novu(wanted)))


def decided(
    wanted: Kind, record: Record | None, current: dict[str, Any] | None, *, force: bool = False
) -> Item:
    """Return the decision about one workflow."""
    found = {wanted.key: current} if current is not None else {}
    (item,) = decide([wanted], {wanted.key: record} if record else {}, found, found, force=force)
    return item


def test_a_step_shows_our_text_and_runs_for_its_channel_only() -> None:
    """Novu inverts `skip`, so the condition is that under which the step runs."""
    document = build_document(kind(channels=(Channel.EMAIL, Channel.SMS)))

    assert document["active"] is True
    assert document["steps"] == [
        {
            "name": "email",
            "type": "email",
            "controlValues": {
                "subject": "{{payload.xnovu.rendered.email.subject}}",
                "body": "{{payload.xnovu.rendered.email.body}}",
                "editorType": "html",
                "disableOutputSanitization": True,
                "skip": {"in": ["email", {"var": "payload.xnovu.channels"}]},
            },
        },
        {
            "name": "sms",
            "type": "sms",
            "controlValues": {
                "body": "{{payload.xnovu.rendered.sms.body}}",
                "skip": {"in": ["sms", {"var": "payload.xnovu.channels"}]},
            },
        },
    ]


def test_the_words_of_an_enterprise_are_not_shown_to_all() -> None:
    """The name is that of the global row, cut, or the key."""
    assert build_document(kind())["name"] == "welcome"
    assert build_document(kind(name="W" * 99))["name"] == "W" * 64


def test_a_closed_schema_allows_our_key() -> None:
    """Its other rules stay; rows without a common schema have none."""
    schema = {"additionalProperties": False, "properties": {"order": {"type": "integer"}}}
    shown = build_document(kind(schema=schema))["payloadSchema"]

    assert set(shown["properties"]) == {"order", "xnovu"}
    assert shown["additionalProperties"] is False
    assert build_document(kind())["payloadSchema"] is None


@pytest.mark.parametrize(
    ("record", "current", "action"),
    [
        (None, None, Action.CREATE),
        (recorded(kind()), None, Action.CREATE),
        (recorded(kind()), in_novu(kind()), Action.SAME),
        (None, in_novu(kind()), Action.SAME),
        (recorded(kind(channels=BOTH)), in_novu(kind(channels=BOTH)), Action.CHANGE),
        (recorded(kind()), in_novu(kind(), active=False), Action.EDITED),
        (recorded(kind()), in_novu(kind(), description="mine"), Action.EDITED),
        (None, in_novu(kind(channels=BOTH)), Action.FOREIGN),
        (recorded(kind(), "welcome-2"), None, Action.INVALID),
    ],
)
def test_a_dynamic_workflow_follows_its_rows(
    record: Record | None, current: dict[str, Any] | None, action: Action
) -> None:
    """What a person has changed, and what we did not write, stays, with a sentence."""
    item = decided(kind(), record, current)

    assert item.action is action
    assert bool(item.reason) is (action in plan.PROBLEMS)


@pytest.mark.parametrize(
    ("record", "current", "action"),
    [
        (recorded(kind()), in_novu(kind(), active=False), Action.CHANGE),
        (recorded(kind(), "welcome-2"), None, Action.CREATE),
        (None, in_novu(kind(channels=BOTH)), Action.FOREIGN),
    ],
)
def test_force_overwrites_a_person_but_nothing_foreign(
    record: Record | None, current: dict[str, Any] | None, action: Action
) -> None:
    """A workflow that we did not write is never touched."""
    assert decided(kind(), record, current, force=True).action is action


def test_a_document_that_novu_keeps_in_another_form_is_not_written_again() -> None:
    """Otherwise each sync would write it."""
    other = in_novu(kind(), description="Written by xnovu…")
    written = Record("welcome", build_document(kind()), extract(other))

    assert decided(kind(), written, other).action is Action.SAME


@pytest.mark.parametrize("key", ["has space", "ends-", "two--dashes", "grüße", "new\n", "a/b"])
def test_a_key_that_novu_cannot_have_is_a_sentence(key: str) -> None:
    """Nothing is sent for it."""
    for type_ in WorkflowType:
        item = decided(kind(key, type_), None, None)
        assert (item.action, "workflow_key" in str(item.reason)) == (Action.INVALID, True)


def test_a_workflow_without_a_channel_is_a_sentence() -> None:
    """Novu would accept it and send nothing."""
    assert decided(kind(channels=()), None, None).action is Action.INVALID


def test_a_static_workflow_is_only_looked_for() -> None:
    """If the key is DYNAMIC for another enterprise, Novu has one workflow for both."""
    there, missing = kind("there", "STATIC"), kind("missing", "STATIC")
    both = [kind("both"), kind("both", "STATIC")]
    items = decide([there, missing, *both], {"old": recorded(kind("old"))}, {"there", "old"}, {})

    assert {item.key: item.action for item in items} == {
        "there": Action.STATIC,
        "missing": Action.MISSING,
        "both": Action.CREATE,
        "old": Action.UNUSED,
    }


def test_an_update_keeps_what_is_not_ours() -> None:
    """A step of the same type keeps its id and its sender, and the workflow its preferences and tags."""
    current = in_novu(kind())
    current["steps"][0]["controlValues"] = {**current["steps"][0]["controlValues"], "from": "ops", "skip": {}}
    body = build_update(build_document(kind(channels=BOTH)), current)

    assert body["steps"][1]["controlValues"]["from"] == "ops"
    assert body["steps"][1]["controlValues"]["skip"] != {}

    assert [step.get("_id") for step in body["steps"]] == [None, "id-email"]
    assert (body["tags"], body["origin"]) == (["orders"], "novu-cloud")
    assert body["preferences"] == {"user": None, "workflow": {"all": {}}}


def test_novus_issues_become_sentences() -> None:
    """A call that ends with 200 may have made a workflow that sends nothing."""
    bad = in_novu(kind(), workflowId="welcome-2", status="ERROR", issues={"name": [{"message": "too long"}]})
    bad["steps"][0]["issues"] = {
        "controls": {"subject": [{"issueType": "MISSING_VALUE", "message": "Subject is required"}]},
        "integration": {"email": [{"issueType": "MISSING_INTEGRATION", "message": "no integration"}]},
    }

    assert list(find_issues("welcome", in_novu(kind()))) == []
    assert list(find_issues("welcome", bad)) == [
        "Novu calls it welcome-2, where no trigger finds it",
        "its status in Novu is ERROR",
        "name: too long",
        "step email, subject: Subject is required",
        "step email, email: no integration",
    ]


def test_a_control_that_is_not_ours_is_no_change() -> None:
    """People may set the sender of a mail; Novu may add controls of its own."""
    current = in_novu(kind())
    current["steps"][0]["controlValues"] = {**current["steps"][0]["controlValues"], "from": "ops"}

    assert decided(kind(), recorded(kind()), current).action is Action.SAME
    assert decided(kind(channels=BOTH), recorded(kind()), current).action is Action.CHANGE
    current["steps"][0]["controlValues"] = ["nonsense"]
    assert decided(kind(), recorded(kind()), current).action is Action.EDITED
