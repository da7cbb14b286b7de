"""The way that a notification took through its states, with how long it was in each, as far as its row and incidents show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from xnovu_poller.incidents import IncidentKind
from xnovu_poller.lifecycle import LAWFUL_MOVES, Status
from xnovu_poller.store.notifications.life import Incident, Life


@dataclass(frozen=True, slots=True)
class Move:
    """A move from a state to another.

    Attributes:
        at: when; None if nothing shows it: a row has the time of its last claim only.
        waited: how long the notification was in the former state; None if a time is not known.
        times: how many such moves it stands for.
        why: the word for it.
    """

    start: Status
    end: Status
    why: str
    at: datetime | None
    waited: timedelta | None = None
    times: int = 1


_ENDS: dict[str, Status] = {
    IncidentKind.FAILED: Status.FAILED,
    IncidentKind.DEAD: Status.DEAD,
    IncidentKind.RELEASED: Status.PENDING,
    IncidentKind.RESCUED: Status.PENDING,
    IncidentKind.RECLAIMED: Status.PROCESSING,
    IncidentKind.RETRACTED: Status.RETRACTED,
    IncidentKind.EXPIRED: Status.RETRACTED,
    IncidentKind.REVIVED: Status.PENDING,
}
"""Where an incident leads; the others change no state."""

_OF_A_CLAIM = {
    IncidentKind.FAILED,
    IncidentKind.DEAD,
    IncidentKind.RELEASED,
    IncidentKind.RESCUED,
    IncidentKind.RECLAIMED,
    IncidentKind.LAPSED,
    IncidentKind.UNKNOWN,
    IncidentKind.REFUSED,
}
"""They happen to claimed notifications only."""


def list_moves(life: Life) -> list[Move]:
    """Return the moves, oldest first. A claim of which only the consequence is known is among them, without its time."""
    return list(_time(life, list(_walk(life))))


def _walk(life: Life) -> Iterator[Move]:
    """Yield the moves without the waits."""
    state, claimed, failed = Status.PENDING, 0, False
    for incident in life.incidents:
        if state is not Status.PROCESSING and (
            incident.kind in _OF_A_CLAIM or (incident.attempt > claimed and incident.kind in _ENDS)
        ):
            yield _claim(life, state, incident.attempt)
            state = Status.PROCESSING
        claimed = max(claimed, incident.attempt)
        end = _ENDS.get(incident.kind)
        if end is None:
            continue
        # A release gives a row back to the loop that it came from.
        if incident.kind in {IncidentKind.RELEASED, IncidentKind.RESCUED} and failed:
            end = Status.FAILED
        failed = end is Status.FAILED
        yield _move(state, end, incident)
        state = end
    yield from _finish(life, state)


def _finish(life: Life, state: Status) -> Iterator[Move]:
    """Yield moves without an incident: a claim under way, the straight end, and ends of rows that are older than their incidents."""
    goal = life.status
    if state is goal:
        return
    if state is not Status.PROCESSING and life.attempt and (state, Status.PROCESSING) in LAWFUL_MOVES:
        is_unclaimed = goal is Status.RETRACTED and life.claimed_at is None
        if not is_unclaimed:
            yield _claim(life, state, life.attempt)
            state = Status.PROCESSING
    if (state, goal) in LAWFUL_MOVES and state is not goal:
        yield Move(state, goal, _WORDS.get(goal, "moved"), life.processed_at or life.retracted_at)


_WORDS = {
    Status.SENT: "accepted",
    Status.DEAD: "dead",
    Status.FAILED: "failed",
    Status.RETRACTED: "retracted",
}


def _claim(life: Life, state: Status, attempt: int) -> Move:
    at = life.claimed_at if attempt == life.attempt else None
    return Move(state, Status.PROCESSING, f"attempt {attempt}", at)


def _move(state: Status, end: Status, incident: Incident) -> Move:
    why = str(incident.kind) + (f" ({incident.code})" if incident.code else "")
    return Move(state, end, why, incident.last_at, times=incident.times)


def _time(life: Life, moves: list[Move]) -> Iterator[Move]:
    """Yield the moves with the waits: the first counts from when it came due, or from its insert if it left before."""
    since: datetime | None = life.due_at
    if moves and moves[0].at is not None and moves[0].at < life.due_at:
        since = life.created_at
    for move in moves:
        waited = None if since is None or move.at is None else max(move.at - since, timedelta(0))
        yield Move(move.start, move.end, move.why, move.at, waited, move.times)
        since = move.at
