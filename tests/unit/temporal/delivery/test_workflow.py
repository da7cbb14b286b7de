"""Recorded histories are replayed: an upgrade that would break open workflows is seen here first."""

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
from xnovu_poller.temporal.worker import WORKFLOWS

FOLDER = Path(__file__).parent / "histories"
RECORDED = sorted(FOLDER.glob("*.json"))


def history(name: str) -> dict[str, Any]:
    """Read a recorded history."""
    recorded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return recorded


async def replay(recorded: dict[str, Any]) -> None:
    """Replay a history; raises where the workflow would go another way now."""
    replayer = Replayer(workflows=WORKFLOWS, workflow_failure_exception_types=[])
    await replayer.replay_workflow(WorkflowHistory.from_json("replayed", recorded))


def test_every_way_is_recorded() -> None:
    """Of notifications, of rules, and of the chores; each story that is told has its history."""
    assert [path.stem for path in RECORDED] == sorted(story.__name__ for story in STORIES)


@pytest.mark.parametrize("name", [path.stem for path in RECORDED])
async def test_a_recorded_history_is_gone_through_again(name: str) -> None:
    """Command for command."""
    await replay(history(name))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("retry", "deliver"),
        ("lost_contact", "record_lost_contact"),
        ("foreign_deployment", "deliver"),
        ("fired", "fire"),
        ("fired_by_schedule", "fire"),
        ("fired_late", "fire"),
        ("chores", "rules"),
        ("chores", "doctor"),
    ],
)
async def test_a_history_that_went_another_way_is_seen(name: str, word: str) -> None:
    """The tests above can fail: the same history, had another activity been scheduled."""
    told = json.dumps(history(name))
    wrong = re.sub(rf'("activityType": {{"name": )"{word}"', r'\1"other"', told)
    assert wrong != told

    with pytest.raises(NondeterminismError):
        await replay(json.loads(wrong))


@pytest.mark.parametrize("name", [path.stem for path in RECORDED])
def test_a_recorded_history_holds_no_value(name: str) -> None:
    """No payload, no recipient, no secret travels through Temporal."""
    written = readable(history(name))
    assert '"deployment":' in written
    for marker in MARKERS:
        assert marker not in written
