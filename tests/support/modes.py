"""The ways of handoff: each notification in its own run, all notifications of a claim in one, or as the claim decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.rows import Db, a_notification
from xnovu_poller.settings.model import GROUPED_FROM


@dataclass(frozen=True, slots=True)
class Mode:
    """How notifications are handed off.

    Attributes:
        setting: HANDOFF_GROUP_SIZE.
        size: the most notifications of a run.
        rows: how many notifications a test inserts for each single notification of the other mode.
    """

    setting: str
    size: int
    rows: int

    @property
    def grouped(self) -> bool:
        """Whether notifications that are claimed together are sent together."""
        return self.size > 1

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of a worker in this mode."""
        return {"HANDOFF_GROUP_SIZE": self.setting}

    def of(self, size: int) -> Mapping[str, str]:
        """Return the settings for groups of another size, if the mode has a size to choose."""
        return {"HANDOFF_GROUP_SIZE": str(size)} if self.setting == "100" else self.settings


MODES = {"single": Mode("1", 1, 1), "group": Mode("100", 100, 3)}
"""A test of a mode has these."""

EVERY_MODE = {**MODES, "auto": Mode("auto", 100, GROUPED_FROM)}
"""The default beside them: the rows that it inserts together are just enough to share a run."""

in_every_mode = pytest.mark.parametrize("mode", EVERY_MODE, indirect=True)
"""Run a test with the default too, in which a claim decides; it is mixed of the others, so only a few tests do."""


def mode_of(environment: Mapping[str, str]) -> Mode:
    """Return the mode of a worker's settings."""
    return next(mode for mode in EVERY_MODE.values() if mode.setting == environment["HANDOFF_GROUP_SIZE"])


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
