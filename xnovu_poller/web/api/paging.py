"""The pages of lists whose order is that of the ids."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import Field

from xnovu_poller.web.api.operation import Shape
from xnovu_poller.web.api.shapes import Id

MOST_LISTED = 200
"""The longest page."""

Row = TypeVar("Row")


class Page(Shape):
    """Which part of a list to return."""

    limit: int = Field(default=50, ge=1, le=MOST_LISTED)
    cursor: Id | None = Field(default=None, description="from the part before")

    @property
    def after(self) -> int:
        """The id after which the page begins."""
        return self.cursor or 0


def cut(rows: Sequence[Row], page: Page) -> tuple[Sequence[Row], int | None]:
    """Return the rows of a page, and the cursor of the next; the last of `limit + 1` rows only shows that there is one."""
    shown = rows[: page.limit]
    last: Any = shown[-1] if len(rows) > page.limit else None
    return shown, None if last is None else last.id
