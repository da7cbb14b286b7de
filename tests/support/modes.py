"""The two ways of handoff: each notification in its own run, or all notifications of a claim in one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.rows import Db, a_notification


@dataclass(frozen=True, slots=True)
class Mode:
    """How notifications are handed off.

    Attributes:
        size: HANDOFF_GROUP_SIZE.
        rows: how many notifications a test inserts for each single notification of the other mode.
    """

    size: int
    rows: int

    @property
    def grouped(self) -> bool:
        """Whether notifications that are claimed together are sent together."""
        return self.size > 1

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of a worker in this mode."""
        return {"HANDOFF_GROUP_SIZE": str(self.size)}

    def of(self, size: int) -> Mapping[str, str]:
        """Return the settings for groups of another size; single mode has no groups."""
        return {"HANDOFF_GROUP_SIZE": str(size if self.grouped else 1)}


MODES = {"single": Mode(1, 1), "group": Mode(100, 3)}


def mode_of(environment: Mapping[str, str]) -> Mode:
    """Return the mode of a worker's settings."""
    return MODES["single" if environment["HANDOFF_GROUP_SIZE"] == "1" else "group"]


def only(mode: str, *, because: str) -> pytest.MarkDecorator:
    """Run a test in one mode only.

    Args:
        mode: the mode.
        because: why the other mode makes no sense; for the reader.
    """
    assert because
    return pytest.mark.parametrize("mode", [mode], indirect=True)


def together(db: Db, mode: Mode, workflow: int, **columns: Any) -> list[int]:  # noqa: ANN401 - as `a_notification` takes them
    """Insert a notification, or a few that are claimed together and therefore share a run."""
    with db.transaction():
        return [a_notification(db, workflow=workflow, **columns) for _ in range(mode.rows)]
