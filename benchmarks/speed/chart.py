"""results.svg: a bar for each system, on a logarithmic scale, from results.json."""

import math
from collections.abc import Iterator
from html import escape
from types import MappingProxyType

from benchmarks.speed.results import Results, Spread, number, spreads
from benchmarks.speed.systems import Kind, System, systems

WIDTH, ROW, TOP, BOTTOM = 960, 26, 56, 34
LEFT, RIGHT = 310, 90

COLOURS: MappingProxyType[Kind, str] = MappingProxyType(
    {"ours": "#2563eb", "peer": "#64748b", "reference": "#cbd5e1"}
)
_WORDS: MappingProxyType[Kind, str] = MappingProxyType(
    {"ours": "xnovu-poller", "peer": "peers", "reference": "references"}
)


_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_HEADING = "Jobs per second, each with an HTTP POST or a part of a POST; logarithmic"


def draw(results: Results) -> str:
    """Draw the chart."""
    found = spreads(results["raw"])
    shown = [*systems(found)]
    height = TOP + ROW * len(shown) + BOTTOM
    scale = Scale([found[system.figure] for system in shown])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {_FONT}>',
        "<title>Jobs per second, by system</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600" fill="#0f172a">{_HEADING}</text>',
        *_legend(),
        *_grid(scale, height),
        *(part for place, system in enumerate(shown) for part in _bar(system, found, scale, place)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class Scale:
    """A logarithmic scale in whole powers of ten, from below the slowest system to above the fastest."""

    def __init__(self, shown: list[Spread]) -> None:
        lows = [each.low for each in shown if each.low > 0]
        highs = [each.high for each in shown if each.high > 0]
        self.first = math.floor(math.log10(min(lows))) if lows else 0
        self.last = max(math.ceil(math.log10(max(highs))) if highs else 1, self.first + 1)

    def x(self, value: float) -> float:
        """Return the position of a value, in the units of the chart."""
        decades = math.log10(max(value, 10**self.first)) - self.first
        return LEFT + (WIDTH - LEFT - RIGHT) * decades / (self.last - self.first)


def _legend() -> Iterator[str]:
    x = LEFT
    for kind, word in _WORDS.items():
        yield f'<rect x="{x}" y="36" width="11" height="11" fill="{COLOURS[kind]}"/>'
        yield f'<text x="{x + 16}" y="46" fill="#334155">{word}</text>'
        x += 130


def _grid(scale: Scale, height: int) -> Iterator[str]:
    for power in range(scale.first, scale.last + 1):
        x = scale.x(10.0**power)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}" stroke="#e2e8f0"/>'
        yield (
            f'<text x="{x:.1f}" y="{height - BOTTOM + 18}" text-anchor="middle" fill="#64748b">{10.0**power:,g}</text>'
        )


def _bar(system: System, found: dict[str, Spread], scale: Scale, place: int) -> Iterator[str]:
    """Draw a bar for the median, a line for the range, and the figure."""
    spread, y = found[system.figure], TOP + ROW * place
    end, middle = scale.x(spread.median), y + ROW / 2
    yield (
        f'<text x="{LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end" fill="#0f172a">{escape(system.label)}</text>'
    )
    yield (
        f'<rect x="{LEFT}" y="{y + 4}" width="{max(end - LEFT, 1):.1f}" height="{ROW - 8}"'
        f' fill="{COLOURS[system.kind]}"/>'
    )
    if spread.rounds > 1:
        yield (
            f'<line x1="{scale.x(spread.low):.1f}" x2="{scale.x(spread.high):.1f}" y1="{middle:.1f}"'
            f' y2="{middle:.1f}" stroke="#0f172a" stroke-width="1.5"/>'
        )
    x = max(end, scale.x(spread.high)) + 8
    yield f'<text x="{x:.1f}" y="{middle + 4:.1f}" fill="#0f172a">{number(spread.median)}</text>'
