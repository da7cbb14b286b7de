"""The two ways of a handoff: each notification in a workflow of its own, or all of a claim in one."""

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
        rows: so many notifications a test inserts where in singles it inserts one.
    """

    size: int
    rows: int

    @property
    def grouped(self) -> bool:
        """Whether those that are claimed together are sent together."""
        return self.size > 1

    @property
    def settings(self) -> Mapping[str, str]:
        """What a worker has to be told."""
        return {"HANDOFF_GROUP_SIZE": str(self.size)}

    def of(self, size: int) -> Mapping[str, str]:
        """Give the same for groups of another size; in singles there is none."""
        return {"HANDOFF_GROUP_SIZE": str(size if self.grouped else 1)}


MODES = {"single": Mode(1, 1), "group": Mode(100, 3)}


def mode_of(environment: Mapping[str, str]) -> Mode:
    """Give the mode that a worker is told."""
    return MODES["single" if environment["HANDOFF_GROUP_SIZE"] == "1" else "group"]


def only(mode: str, *, because: str) -> pytest.MarkDecorator:
    """Mark what makes sense in one mode.

    Args:
        mode: which.
        because: why not in the other one; the reader is to know.
    """
    assert because
    return pytest.mark.parametrize("mode", [mode], indirect=True)


def together(db: Db, mode: Mode, workflow: int, **columns: Any) -> list[int]:  # noqa: ANN401 - as `a_notification` takes them
    """Insert a notification, or a few that are claimed together and so share a workflow in Temporal."""
    with db.transaction():
        return [a_notification(db, workflow=workflow, **columns) for _ in range(mode.rows)]
