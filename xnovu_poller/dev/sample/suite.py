"""The fire-safety suite: its workflows, templates and occasions, read from `workflows/`.

A folder is a workflow: `workflow.json` has its key, channels and payload schema; `templates.en.toml`
and `templates.zh.toml` hold its texts; `payloads.en.toml` and `payloads.zh.toml` the occasions on which
it is used. The English workflows serve all enterprises; an enterprise of another language has its own
workflow of the same key, which names the templates of that language.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from xnovu_poller.dev.sample.enterprises import SampleBuilding, enterprises
from xnovu_poller.lifecycle import Channel, PublishStatus, WorkflowType

LANGUAGES = ("en", "zh")

FOLDERS = (
    "fire-emergency",
    "fire-drill",
    "fire-inspection",
    "fire-maintenance",
    "fire-training",
    "fire-assessment",
    "fire-patrol",  # not published
)


@dataclass(frozen=True, slots=True)
class SampleWorkflow:
    """A row of `notify.ent_notification_workflow`; the fields are named as its columns."""

    enterprise_id: str | None
    workflow_key: str
    name: str
    description: str
    workflow_type: WorkflowType
    default_channels: tuple[Channel, ...]
    payload_schema: Mapping[str, Any]
    template_overrides: Mapping[str, str]
    publish_status: PublishStatus


@dataclass(frozen=True, slots=True)
class SampleTemplate:
    """A published row of `notify.ent_notification_template`; the fields are named as its columns."""

    enterprise_id: str | None
    template_key: str
    name: str
    channel_type: Channel
    subject_template: str | None
    body_template: str
    defaults: Mapping[str, Any]
    publish_status: PublishStatus = PublishStatus.PUBLISH


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that may happen in a building, with placeholders for the building.

    `channels` is None for the workflow's channels.
    """

    name: str
    priority: int
    channels: tuple[Channel, ...] | None
    payload: Mapping[str, Any]

    def title_in(self, building: SampleBuilding) -> str:
        """Return the notification's name."""
        return self.name.format(building=building.name)

    def payload_in(self, building: SampleBuilding, number: int) -> dict[str, Any]:
        """Return the payload with its placeholders filled.

        Args:
            building: fills the placeholders.
            number: the notification's number, 0 to 9999; the ids in the payload end in it.
        """
        words = {
            "building": building.name,
            "assembly_point": building.assembly_point,
            "number": f"{number:04}",
        }
        return {key: _fill(value, words) for key, value in self.payload.items()}


@cache
def workflows() -> tuple[SampleWorkflow, ...]:
    """Return the global English workflows, then those of each enterprise with another language."""
    owners: list[tuple[str | None, str]] = [(None, LANGUAGES[0])]
    owners += [
        (enterprise.id, enterprise.language)
        for enterprise in enterprises()
        if enterprise.language != LANGUAGES[0]
    ]
    return tuple(_workflow(folder, owner, language) for owner, language in owners for folder in FOLDERS)


@cache
def templates() -> tuple[SampleTemplate, ...]:
    """Return the templates of every workflow, channel and language; all are global."""
    return tuple(
        template for language in LANGUAGES for folder in FOLDERS for template in _templates(folder, language)
    )


@cache
def occasions(workflow_key: str, language: str) -> tuple[Occasion, ...]:
    """Return the occasions on which a workflow is used, in the order of their file."""
    folder = workflow_key.removeprefix("default-")
    return tuple(
        Occasion(
            name=entry["name"],
            priority=entry["priority"],
            channels=_to_channels(entry["channels"]) if "channels" in entry else None,
            payload=entry["payload"],
        )
        for entry in tomllib.loads(_read(folder, f"payloads.{language}.toml"))["occasion"]
    )


def _workflow(folder: str, enterprise_id: str | None, language: str) -> SampleWorkflow:
    shape = json.loads(_read(folder, "workflow.json"))
    text = tomllib.loads(_read(folder, f"templates.{language}.toml"))
    return SampleWorkflow(
        enterprise_id=enterprise_id,
        workflow_key=shape["key"],
        name=text["name"],
        description=text["description"],
        workflow_type=WorkflowType.DYNAMIC,
        default_channels=_to_channels(shape["channels"]),
        payload_schema=shape["payload_schema"],
        template_overrides=dict.fromkeys(shape["channels"], f"{folder}-{language}"),
        publish_status=PublishStatus(shape["publish_status"]),
    )


def _templates(folder: str, language: str) -> list[SampleTemplate]:
    text = tomllib.loads(_read(folder, f"templates.{language}.toml"))
    return [
        SampleTemplate(
            enterprise_id=None,
            template_key=f"{folder}-{language}",
            name=f"{text['name']} ({channel})",
            channel_type=channel,
            subject_template=text[channel].get("subject"),
            body_template=text[channel]["body"].rstrip("\n"),
            defaults=text.get("defaults", {}),
        )
        for channel in Channel
        if channel in text
    ]


def _to_channels(names: list[str]) -> tuple[Channel, ...]:
    return tuple(Channel(name) for name in names)


def _read(folder: str, name: str) -> str:
    return (files(__package__) / "workflows" / folder / name).read_text(encoding="utf-8")


def _fill(value: Any, words: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return value.format_map(words)
        case list():
            return [_fill(item, words) for item in value]
        case dict():
            return {key: _fill(item, words) for key, item in value.items()}
        case _:
            return value
