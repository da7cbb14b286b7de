"""A rendering: what it reads, what it has written, and what it may still spend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import thread_time
from typing import Any

from xnovu_poller.templates.language.values import Unfit

MAX_STEPS = 50_000
"""The most steps of a rendering; each costs less than 0.3 µs. A loop takes those of its body each time."""

GROWTH = 200_000
"""The most characters that expressions and filters may make, besides two times the longest text that may be written."""

MAX_SECONDS = 0.25
"""The most CPU seconds of a rendering, for costs that steps do not show."""

MAX_NESTING = 16
"""The most blocks, conditions and loops of a template inside each other."""

MAX_PARTS = 8
"""The most layouts and partials inside each other."""

Run = Callable[["State"], None]
"""Write a piece of a template."""

Read = Callable[["State"], Any]
"""Return a value; raises Unfit."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled template: functions of ours, and none of its author's words as code.

    Attributes:
        run: writes its text.
        blocks: writes each of its blocks.
        layout: the key of the template that it inherits, and the line that names it.
        uses: the keys of its layout and partials, in their order.
        steps: what it costs to write it once, without what its loops repeat.
        weight: about how many bytes it takes.
    """

    run: Run
    blocks: Mapping[str, Run]
    layout: tuple[str, int] | None
    uses: tuple[str, ...]
    steps: int
    weight: int


class State:
    """The state of a rendering.

    Args:
        variables: JSON values by name.
        name: the text that is made, for errors: body or subject.
        limit: the most characters of that text.
        find_part: returns the program of a layout or a partial; raises Unfit if there is none.
    """

    __slots__ = (
        "append", "blocks", "find_part", "frame", "growth", "is_raw", "keys", "limit", "locale", "name", "out", "part",
        "room", "started", "steps", "time_zone", "variables",
    )  # fmt: skip

    def __init__(
        self, variables: Mapping[str, Any], name: str, limit: int, find_part: Callable[[str], Program]
    ) -> None:
        self.variables = variables
        self.name = name
        self.limit = self.room = limit
        self.find_part = find_part
        self.out: list[str] = []
        self.append = self.out.append
        self.steps = MAX_STEPS
        self.growth = 2 * limit + GROWTH
        self.started: float | None = None
        self.frame: list[Any] = []
        self.blocks: Mapping[str, tuple[Run, str | None]] = {}
        self.keys: tuple[str, ...] = ()
        self.part: str | None = None
        self.is_raw = False
        self.locale: str | None = None
        self.time_zone: str | None = None

    def too_long(self) -> Unfit:
        """Return the error of a text that is too long."""
        return Unfit(
            f"the {self.name} is longer than {self.limit} characters; shorten it, or `truncate` values"
        )

    def spend(self, steps: int) -> None:
        """Take steps from the budget, before the work.

        Raises:
            Unfit: too few are left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise Unfit(f"it takes more than {MAX_STEPS} steps; shorten its loops, or what they go through")

    def check_time(self) -> None:
        """Raise Unfit if the rendering has taken too long since it first asked, which loops and partials do."""
        if self.started is None:
            self.started = thread_time()
        elif thread_time() - self.started > MAX_SECONDS:
            raise Unfit(f"it takes longer than {MAX_SECONDS} s of the processor; shorten it")

    def grow(self, characters: int) -> None:
        """Take characters that an expression will make from the budget, before they are made."""
        self.growth -= characters
        if self.growth < 0:
            most = 2 * self.limit + GROWTH
            raise Unfit(f"its expressions make more than {most} characters; use shorter values")

    def enter(self, key: str) -> Program:
        """Return the program of a layout or a partial, and add its key to those that are being written.

        Raises:
            Unfit: it is missing, it is inside itself, or too many are inside each other.
        """
        if key in self.keys:
            circle = " > ".join([*self.keys[self.keys.index(key) :], key])
            raise Unfit(f"{circle} is a circle of templates; remove one of them")
        if len(self.keys) == MAX_PARTS:
            raise Unfit(f"more than {MAX_PARTS} layouts and partials are inside each other; use fewer")
        self.keys = (*self.keys, key)
        return self.find_part(key)
