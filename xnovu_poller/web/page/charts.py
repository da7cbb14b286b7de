"""Charts as SVG: drawn here, without a script and without a library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

WIDTH, HEIGHT = 360, 60
"""The size of a chart's drawing, in its own units; the page stretches it."""

_CARRIED = timedelta(minutes=10)
"""A count holds for this long: the chores may run less often than each minute."""

Points = Mapping[datetime, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart.

    Attributes:
        name: for its class in the stylesheet, and for the description.
        points: by the beginning of the minute; a minute without a point was not counted.
    """

    name: str
    points: Points


def draw(
    title: str, series: Sequence[Series], *, end: datetime, span: timedelta, gaps: bool, least: float = 0
) -> Markup:
    """Return a chart of series over the last hours, as areas from zero.

    Args:
        title: what it shows, for those who hear the page.
        end: the time at its right edge.
        gaps: whether a minute without a point is unknown; otherwise it is zero.
        least: the value at its top edge, unless a point is higher; so charts that are compared have one scale.
    """
    start = end - span
    highest = max((value for each in series for value in each.points.values()), default=0)
    areas = Markup("").join(
        Markup('<path class="area {}" d="{}"/>').format(
            each.name, _outline(_columns(each.points, start, span, gaps=gaps), max(highest, least) or 1)
        )
        for each in series
    )
    spoken = f"{title}, from {start.astimezone(UTC):%H:%M} to {end.astimezone(UTC):%H:%M} UTC, highest {highest:,.0f}"
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
    ).format(spoken, WIDTH, HEIGHT, areas)


def _columns(points: Points, start: datetime, span: timedelta, *, gaps: bool) -> list[float | None]:
    """Return a value for each column: the highest of its minutes; None where nothing was counted."""
    columns: list[float | None] = [None if gaps else 0.0] * WIDTH
    for at, value in points.items():
        place = int((at - start) / span * WIDTH)
        if 0 <= place < WIDTH:
            columns[place] = max(columns[place] or 0.0, value)
    return _carry(columns, int(_CARRIED / span * WIDTH)) if gaps else columns


def _carry(columns: list[float | None], most: int) -> list[float | None]:
    """Carry a value on over a few columns, because minutes are not counted exactly each minute."""
    carried, missing = list(columns), 0
    for place in range(1, len(carried)):
        missing = missing + 1 if columns[place] is None else 0
        if 0 < missing <= most:
            carried[place] = carried[place - 1]
    return carried


def _outline(columns: Sequence[float | None], highest: float) -> str:
    """Return the path of an area; where nothing was counted it is open."""
    parts: list[str] = []
    is_open = False
    for place, value in enumerate(columns):
        if value is None:
            if is_open:
                parts.append(f"V{HEIGHT}Z")
            is_open = False
            continue
        top = HEIGHT - value / highest * (HEIGHT - 2)
        parts.append(f"H{place}V{top:.1f}" if is_open else f"M{place} {HEIGHT}V{top:.1f}")
        is_open = True
    if is_open:
        parts.append(f"H{len(columns)}V{HEIGHT}Z")
    return "".join(parts)
