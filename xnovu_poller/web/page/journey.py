"""The state machine of a notification as SVG, with the way that it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from xnovu_poller.lifecycle import Status
from xnovu_poller.story.story import format_span
from xnovu_poller.story.way import Move

WIDTH, HEIGHT = 720, 290
_HALF_WIDTH, _HALF_HEIGHT = 62, 19

_PLACES: Mapping[Status, tuple[int, int]] = {
    Status.PENDING: (125, 90),
    Status.PROCESSING: (370, 90),
    Status.SENT: (635, 90),
    Status.FAILED: (370, 210),
    Status.DEAD: (635, 210),
    Status.RETRACTED: (125, 210),
}


@dataclass(frozen=True, slots=True)
class _Arrow:
    """How a lawful move is drawn: its path, and where its label stands."""

    path: str
    x: int
    y: int
    anchor: str = "middle"


_ARROWS: Mapping[tuple[Status, Status], _Arrow] = {
    (Status.PENDING, Status.PROCESSING): _Arrow("M187 90H302", 245, 82),
    (Status.PROCESSING, Status.PENDING): _Arrow("M335 71C300 30 195 30 160 66", 245, 34),
    (Status.PROCESSING, Status.PROCESSING): _Arrow("M350 71C340 22 400 22 392 65", 372, 26),
    (Status.PROCESSING, Status.SENT): _Arrow("M432 90H567", 500, 82),
    (Status.PROCESSING, Status.FAILED): _Arrow("M355 109V185", 347, 170, "end"),
    (Status.FAILED, Status.PROCESSING): _Arrow("M385 191V115", 393, 170, "start"),
    (Status.PROCESSING, Status.DEAD): _Arrow("M415 109L590 187", 512, 138, "start"),
    (Status.PENDING, Status.RETRACTED): _Arrow("M110 109V185", 102, 152, "end"),
    (Status.RETRACTED, Status.PENDING): _Arrow("M140 191V115", 148, 170, "start"),
    (Status.PROCESSING, Status.RETRACTED): _Arrow("M325 109L173 187", 248, 138, "end"),
    (Status.FAILED, Status.RETRACTED): _Arrow("M308 210H193", 250, 226),
    (Status.DEAD, Status.PENDING): _Arrow("M635 229C635 290 20 290 20 210C20 150 40 118 56 108", 360, 266),
}
"""Every lawful move; a test compares."""


def draw(moves: Sequence[Move], current: Status) -> Markup:
    """Return the states with all lawful moves; those that the notification made are marked, with how long it waited."""
    made: dict[tuple[Status, Status], list[Move]] = {}
    for move in moves:
        made.setdefault((move.start, move.end), []).append(move)
    visited = {Status.PENDING, current, *(state for pair in made for state in pair)}
    arrows = sorted(_ARROWS, key=lambda pair: pair in made)
    parts = [_MARKERS]
    parts += [_draw_arrow(pair, made.get(pair, [])) for pair in arrows]
    parts += [
        _draw_state(state, is_current=state is current, is_visited=state in visited) for state in _PLACES
    ]
    return Markup('<svg class="journey" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        describe(moves, current), WIDTH, HEIGHT, Markup("").join(parts)
    )


def describe(moves: Sequence[Move], current: Status) -> str:
    """Return the way in a sentence, for those who hear the page."""
    if not moves:
        return f"The notification is {current} and was never claimed."
    way = ", ".join([str(moves[0].start), *(str(move.end) for move in moves)])
    return f"The way of the notification: {way}. It is {current} now."


_MARKERS = Markup(
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0L8 4L0 8z"/></marker>'
    '<marker id="tip-made" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
    '<path class="tip made" d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _draw_arrow(pair: tuple[Status, Status], moves: Sequence[Move]) -> Markup:
    arrow = _ARROWS[pair]
    kind, tip = ("arrow made", "tip-made") if moves else ("arrow", "tip")
    path = Markup('<path class="{}" d="{}" marker-end="url(#{})"/>').format(kind, arrow.path, tip)
    if not moves:
        return path
    label = Markup('<text class="label {}" x="{}" y="{}">{}</text>').format(
        arrow.anchor, arrow.x, arrow.y, _label(moves)
    )
    return path + label


def _label(moves: Sequence[Move]) -> str:
    """Return how often a move was made, and how long the last had been waited for."""
    times = sum(move.times for move in moves)
    waited = moves[-1].waited
    parts = [f"{times} times"] if times > 1 else []
    if waited is not None:
        parts.append(f"after {format_span(waited)}")
    return ", ".join(parts)


def _draw_state(state: Status, *, is_current: bool, is_visited: bool) -> Markup:
    x, y = _PLACES[state]
    kind = "node" + (" visited" if is_visited else "") + (f" current {state.lower()}" if is_current else "")
    return Markup(
        '<g class="{}"><rect x="{}" y="{}" width="{}" height="{}" rx="8"/><text x="{}" y="{}">{}</text></g>'
    ).format(
        kind, x - _HALF_WIDTH, y - _HALF_HEIGHT, 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT, x, y + 5, state.value
    )
