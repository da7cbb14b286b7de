"""Recorded histories are replayed: here you see an upgrade that would break open runs before it does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.support.delivering import MARKERS
from tests.support.executing import readable
from tests.support.histories import STORIES
from tests.support.migrating import VERSION_BEFORE
from xnovu_poller.temporal.worker import WORKFLOWS

FOLDER = Path(__file__).parent / "histories"
RECORDED = {str(path.relative_to(FOLDER).with_suffix("")): path for path in sorted(FOLDER.rglob("*.json"))}
"""The histories of this version, and in `of_…` those of each version before, by its newest revision; they never change."""


def history(name: str) -> dict[str, Any]:
    """Read a recorded history."""
    recorded: dict[str, Any] = json.loads(RECORDED[name].read_text(encoding="utf-8"))
    return recorded


async def replay(recorded: dict[str, Any]) -> None:
    """Replay a history; raise if the workflow would now take another path."""
    replayer = Replayer(workflows=WORKFLOWS, workflow_failure_exception_types=[])
    await replayer.replay_workflow(WorkflowHistory.from_json("replayed", recorded))


def test_every_story_is_recorded() -> None:
    """The stories cover notifications, rules and chores."""
    own = [name for name in RECORDED if not name.startswith("of_")]

    assert own == sorted(story.__name__ for story in STORIES)


def test_the_version_before_has_its_histories() -> None:
    """Its open runs go on in the workers of this version."""
    kept = {name.partition("/")[0] for name in RECORDED if name.startswith("of_")}

    assert kept >= {f"of_{VERSION_BEFORE}", "of_0001_initial"}


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_history_can_be_replayed(name: str) -> None:
    """The workflow issues the same commands in the same order."""
    await replay(history(name))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("retry", "deliver"),
        ("of_0011_checks/retry", "deliver"),
        ("lost_contact", "record_lost_contact"),
        ("foreign_deployment", "deliver"),
        ("fired", "fire"),
        ("fired_by_schedule", "fire"),
        ("fired_late", "fire"),
        ("chores", "rules"),
        ("chores", "doctor"),
    ],
)
async def test_a_history_with_another_activity_is_not_replayed(name: str, word: str) -> None:
    """It proves that the test above can fail."""
    recorded = json.dumps(history(name))
    wrong = re.sub(rf'("activityType": {{"name": )"{word}"', r'\1"other"', recorded)
    assert wrong != recorded

    with pytest.raises(NondeterminismError):
        await replay(json.loads(wrong))


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_history_contains_no_private_value(name: str) -> None:
    """No payload, no recipient and no secret travels through Temporal."""
    written = readable(history(name))
    assert '"deployment":' in written
    for marker in MARKERS:
        assert marker not in written
