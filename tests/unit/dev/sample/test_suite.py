import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from xnovu_poller.dev.sample.enterprises import enterprises
from xnovu_poller.dev.sample.suite import (
    FOLDERS,
    LANGUAGES,
    SampleTemplate,
    SampleWorkflow,
    occasions,
    templates,
    workflows,
)
from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.templates.language import compile_template

C = Channel
CHANNELS = {
    "default-fire-emergency": {C.SMS, C.PUSH, C.EMAIL, C.IN_APP, C.CHAT},
    "default-fire-drill": {C.SMS, C.PUSH, C.EMAIL, C.IN_APP, C.CHAT},
    "default-fire-inspection": {C.SMS, C.PUSH, C.EMAIL, C.IN_APP, C.CHAT},
    "default-fire-maintenance": {C.EMAIL, C.SMS, C.IN_APP},
    "default-fire-training": {C.EMAIL, C.IN_APP, C.PUSH},
    "default-fire-assessment": {C.EMAIL, C.IN_APP},
}
WITH_SUBJECT = {C.EMAIL, C.IN_APP, C.PUSH}


def _called(template: SampleTemplate) -> str:
    return f"{template.template_key}-{template.channel_type}"


def _schema(template: SampleTemplate) -> Mapping[str, Any]:
    folder, _, _ = template.template_key.rpartition("-")
    return next(each.payload_schema for each in workflows() if each.workflow_key == f"default-{folder}")


def _paths(template: SampleTemplate) -> list[list[str]]:
    """Return every path into the payload that a template reads."""
    text = f"{template.subject_template}{template.body_template}"
    paths = re.findall(r"\$\{(\w+(?:\.\w+)*)(?: or \"[^\"]*\")?}", text)
    assert len(paths) == text.count("${")
    return [path.split(".") for path in paths]


def _promised(schema: Mapping[str, Any], keys: Sequence[str | int]) -> bool:
    """Return whether every valid payload has a text or number there."""
    if not keys:
        return schema.get("type") not in {"object", "array"}
    first, *rest = keys
    return first in schema.get("required", ()) and _promised(schema["properties"][first], rest)


def _given(defaults: object, keys: Sequence[str | int]) -> bool:
    """Return whether the defaults have a text or number there."""
    for key in keys:
        if not isinstance(defaults, dict) or key not in defaults:
            return False
        defaults = defaults[key]
    return not isinstance(defaults, dict | list)


def test_the_six_workflows_are_published_with_their_channels() -> None:
    """These six are the suite; the seventh workflow is a draft."""
    global_workflows = [each for each in workflows() if each.enterprise_id is None]
    published = [each for each in global_workflows if each.publish_status is PublishStatus.PUBLISH]
    assert {each.workflow_key: set(each.default_channels) for each in published} == CHANNELS
    assert [each.workflow_key for each in global_workflows if each not in published] == [
        "default-fire-patrol"
    ]


def test_the_chinese_enterprises_have_workflows_of_their_own() -> None:
    """Two enterprises own a workflow under every key, which uses the Chinese templates."""
    chinese = {each.id for each in enterprises() if each.language == "zh"}
    assert len(chinese) == 2
    for owner in chinese:
        own = [each for each in workflows() if each.enterprise_id == owner]
        assert len(own) == len(FOLDERS)
        assert all(key.endswith("-zh") for each in own for key in each.template_overrides.values())
    assert {each.enterprise_id for each in workflows()} == {None, *chinese}


def test_no_two_rows_share_a_key() -> None:
    """A workflow's key is unique for its enterprise, a template's for its enterprise and channel."""
    keys = [(each.enterprise_id, each.workflow_key) for each in workflows()]
    assert len(set(keys)) == len(keys)
    names = [(each.enterprise_id, each.template_key, each.channel_type) for each in templates()]
    assert len(set(names)) == len(names)


def test_every_language_has_a_template_for_every_channel() -> None:
    """Each workflow names a template for each of its channels, and the template exists."""
    there = {(each.template_key, each.channel_type) for each in templates()}
    named = {
        (key, Channel(channel)) for each in workflows() for channel, key in each.template_overrides.items()
    }
    assert named == there
    assert all(set(each.template_overrides) == set(each.default_channels) for each in workflows())


@pytest.mark.parametrize(
    "workflow", [each for each in workflows() if each.enterprise_id is None], ids=FOLDERS
)
def test_a_payload_schema_is_valid(workflow: SampleWorkflow) -> None:
    """Each required property is also defined."""
    Draft202012Validator.check_schema(dict(workflow.payload_schema))
    assert workflow.payload_schema["required"]
    assert set(workflow.payload_schema["required"]) <= set(workflow.payload_schema["properties"])


@pytest.mark.parametrize("template", templates(), ids=_called)
def test_a_template_is_safe_and_fits_its_channel(template: SampleTemplate) -> None:
    """Each template passes the allow-list, and has a subject if the channel shows subjects."""
    compile_template(template.body_template, html=False)
    compile_template(template.subject_template or "", html=False)
    assert bool(template.subject_template) == (template.channel_type in WITH_SUBJECT)


@pytest.mark.parametrize("template", templates(), ids=_called)
def test_a_template_reads_only_values_that_always_exist(template: SampleTemplate) -> None:
    """Each value is required by the schema or has a default, and each default belongs to a known property."""
    schema = _schema(template)
    for path in _paths(template):
        name, *keys = path
        assert name in schema["properties"]
        if keys and name not in schema["required"]:
            # An object in the payload replaces the whole default object.
            assert _promised(schema["properties"][name], keys), path
        assert _promised(schema, path) or _given(template.defaults, path), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_both_languages_have_the_same_occasions(folder: str) -> None:
    """A translation changes only words, not the kind, urgency, channels or shape of an occasion."""
    english, chinese = (occasions(f"default-{folder}", language) for language in LANGUAGES)
    assert [(each.priority, each.channels, list(each.payload)) for each in english] == [
        (each.priority, each.channels, list(each.payload)) for each in chinese
    ]
    kinds = ("notificationType", "emergencyType", "severity")
    assert [[each.payload.get(kind) for kind in kinds] for each in english] == [
        [each.payload.get(kind) for kind in kinds] for each in chinese
    ]
