"""Why a notification is in its state, in a sentence; the first condition that holds is the cause."""

from collections.abc import Callable

from xnovu_poller.incidents import IncidentKind
from xnovu_poller.lifecycle import PublishStatus, Status
from xnovu_poller.store.notifications.life import Incident, Life, PauseOf
from xnovu_poller.store.pauses import BRAKE
from xnovu_poller.story.story import count, format_moment, format_span


def explain(life: Life) -> str:
    """Return the cause in a sentence."""
    return f"Notification {life.id} is {life.status}: {_CAUSES[life.status](life)}."


def find_hindrance(life: Life) -> str | None:
    """Return why no loop claims a PENDING or FAILED notification, due or not; None if nothing is in its way."""
    if life.publish_status is not PublishStatus.PUBLISH:
        return f"its publish_status is {life.publish_status}, so no loop claims it"
    if life.deactivated:
        return "it is deactivated, so no loop claims it"
    if life.expires_at is not None and life.expires_at <= life.now:
        return f"it expired at {format_moment(life.expires_at)}, and a worker's next turn retracts it"
    return None


def find_shortage(life: Life) -> str | None:
    """Return what a due notification waits for besides its turn; None if nothing is known."""
    if life.pause is not None:
        return _describe_pause(life.pause)
    if life.workers == 0:
        return "no worker is connected to the database"
    if life.most_in_flight is not None and life.in_flight >= life.most_in_flight:
        return f"its enterprise has {life.in_flight} in flight, which is its limit"
    if life.rate is not None:
        return f"its enterprise may start {life.rate:g} a second"
    return None


def _describe_pause(pause: PauseOf) -> str:
    until = f"until {format_moment(pause.ends_at)}" if pause.ends_at else "until a person resumes it"
    if pause.paused_by == BRAKE:
        return f"the brake of its enterprise holds it {until}: {pause.reason}"
    return f"{pause.paused_by} has paused it {until}: {pause.reason}"


def _explain_pending(life: Life) -> str:
    if hindrance := find_hindrance(life):
        return hindrance
    if life.scheduled_for is not None and life.scheduled_for > life.now:
        return f"it is scheduled for {format_moment(life.scheduled_for)}"
    since = f"it has been due since {format_moment(life.due_at)}"
    last = life.last_incident
    if last is not None and last.kind in _GIVEN_BACK:
        since = f"{_GIVEN_BACK[last.kind]} at {format_moment(last.last_at)}{_why(life, last)}"
    return f"{since}, and {find_shortage(life) or 'no loop has claimed it yet'}"


_GIVEN_BACK: dict[str, str] = {
    IncidentKind.RELEASED: "its claim was released",
    IncidentKind.RESCUED: "it was rescued after its run had gone",
    IncidentKind.REVIVED: "it was revived",
}


def _why(life: Life, incident: Incident) -> str:
    """Return the reason of an incident: the row's sentence if it is about the same error, else the code."""
    if incident.code is None:
        return ""
    return f" ({describe_error(life) if incident.code == life.code else incident.code})"


def describe_error(life: Life) -> str:
    """Return the row's error: its sentence and its code."""
    if life.message is None:
        return f"code {life.code}" if life.code else "the row does not have the reason"
    return f"{life.message}; code {life.code}" if life.code else life.message


def _explain_failed(life: Life) -> str:
    if hindrance := find_hindrance(life):
        return f"its last attempt failed, and {hindrance}"
    failed = f"attempt {life.attempt} failed ({describe_error(life)})"
    if life.retract_requested_at is not None:
        return (
            f"it was withdrawn after an unknown outcome, and its next attempt asks Novu to cancel; {failed}"
        )
    if life.next_attempt_at is not None and life.next_attempt_at > life.now:
        return f"{failed}, and the next is due at {format_moment(life.next_attempt_at)}"
    return (
        f"{failed}; the next has been due since {format_moment(life.next_attempt_at)},"
        f" and {find_shortage(life) or 'no loop has claimed it yet'}"
    )


def _explain_processing(life: Life) -> str:
    if life.is_live:
        withdrawn = life.retract_requested_at is not None
        return "a call to Novu is under way" + (
            ", and its retraction waits for the outcome" if withdrawn else ""
        )
    if life.send_until is not None:
        return f"its sender disappeared during a call to Novu, which should have ended by {format_moment(life.send_until)}"
    if life.retract_requested_at is not None:
        return "its retraction waits for the end of this attempt"
    return _explain_pause(life)


def _explain_pause(life: Life) -> str:
    """Explain a claimed notification that nobody is sending now."""
    last = life.last_incident
    kind = last.kind if last is not None and last.attempt == life.attempt else None
    if life.lease_expires_at is not None and life.lease_expires_at < life.now:
        return (
            f"its lease ended at {format_moment(life.lease_expires_at)}, and it has not been rescued yet"
            + (", because no worker is connected to the database" if life.workers == 0 else "")
        )
    if kind is IncidentKind.UNKNOWN:
        return f"Novu may have accepted it ({describe_error(life)}), and the next try sends it again, which Novu drops if so"
    if kind is IncidentKind.REFUSED:
        return f"a try ended without success ({describe_error(life)}), and the next try goes on"
    return _explain_claim(life, kind)


def _explain_claim(life: Life, kind: str | None) -> str:
    """Explain a claimed notification whose attempt has left the straight way only by this incident."""
    accepted = sum(chunk.outcome == "accepted" for chunk in life.chunks)
    if accepted:
        return f"Novu has accepted {accepted} of its {len(life.chunks)} chunks, and the next try sends the others"
    if kind is IncidentKind.RECLAIMED:
        return f"it was claimed again at {format_moment(life.claimed_at)}, because its sender had gone, and its run has not begun"
    return f"it was claimed at {format_moment(life.claimed_at)}, and its run has not begun to send it"


def _explain_sent(life: Life) -> str:
    if life.retract_requested_at is not None:
        return _explain_cancel(life)
    accepted = f"Novu accepted all {len(life.chunks)} chunks" if life.chunks else "Novu accepted it"
    if life.unknown_outcomes:
        return f"{accepted} at attempt {life.attempt}, after {count(life.unknown_outcomes, 'call')} without a known outcome"
    if life.attempt > 1:
        return f"{accepted} at attempt {life.attempt}"
    if life.processed_at is None:
        return f"{accepted} at its first attempt"
    return f"{accepted} at its first attempt, {format_span(life.processed_at - life.due_at)} after it was due"


def _explain_cancel(life: Life) -> str:
    answer = life.error.get("cancel")
    begin = f"Novu had accepted it before it was withdrawn at {format_moment(life.retract_requested_at)}"
    if answer == "cancelled":
        return f"{begin}, and cancelled the steps that were still to come"
    if answer == "nothing_left":
        return f"{begin}, and had nothing left to cancel"
    return f"{begin}, and is still to be asked to cancel it"


def _explain_dead(life: Life) -> str:
    chunks = life.error.get("chunks")
    rejected = (
        f"; it rejected the chunks {', '.join(map(str, chunks))} of {len(life.chunks)}"
        if isinstance(chunks, list)
        else ""
    )
    if life.failure_count > 1:
        return f"{count(life.failure_count, 'attempt')} failed, the last because of: {describe_error(life)}{rejected}"
    return f"{describe_error(life)}{rejected}"


def _explain_retracted(life: Life) -> str:
    when = format_moment(life.retracted_at)
    if life.error.get("delivery") == "unknown":
        return (
            f"it was withdrawn at {when}, but Novu may have delivered it, because a call had no known outcome"
        )
    # A person may write this reason too, and then there is a request.
    if life.retraction_reason == "expired" and life.retract_requested_at is None:
        return f"it expired at {format_moment(life.expires_at)}, before Novu accepted it"
    reason = (
        f" with the reason: {life.retraction_reason}"
        if life.retraction_reason not in {None, "retracted"}
        else ""
    )
    return f"it was withdrawn at {when}, before Novu accepted it{reason}"


_CAUSES: dict[Status, Callable[[Life], str]] = {
    Status.PENDING: _explain_pending,
    Status.PROCESSING: _explain_processing,
    Status.FAILED: _explain_failed,
    Status.SENT: _explain_sent,
    Status.DEAD: _explain_dead,
    Status.RETRACTED: _explain_retracted,
}
