"""The lines of a story, from what each source knows."""

from collections.abc import Iterator

from xnovu_poller.incidents import IncidentKind
from xnovu_poller.lifecycle import Status
from xnovu_poller.novu.activity import Activity
from xnovu_poller.store.notifications.life import Incident, Life
from xnovu_poller.story.story import Line, Source, count, format_moment, format_span
from xnovu_poller.temporal.delivery.history import Run, Try

_WORDS: dict[str, str] = {
    IncidentKind.FAILED: "attempt {attempt} failed",
    IncidentKind.DEAD: "attempt {attempt} ended: DEAD",
    IncidentKind.RELEASED: "attempt {attempt} was released",
    IncidentKind.RESCUED: "attempt {attempt} was rescued: its lease had ended, and Temporal had no run of it",
    IncidentKind.RECLAIMED: "claimed again, attempt {attempt}: its run was gone, and its send had not ended",
    IncidentKind.LAPSED: "attempt {attempt}: the sender before had disappeared during a call, so its outcome is unknown",
    IncidentKind.UNKNOWN: "attempt {attempt}: Novu may have accepted it, the outcome is unknown",
    IncidentKind.REFUSED: "attempt {attempt}: a try ended without success",
    IncidentKind.RETRACTION_REQUESTED: "its retraction was requested",
    IncidentKind.RETRACTED: "retracted",
    IncidentKind.EXPIRED: "expired, and so retracted",
    IncidentKind.CANCELLED: "Novu answered the request to cancel it",
    IncidentKind.REVIVED: "revived: PENDING again",
}

_ENDS = {IncidentKind.DEAD, IncidentKind.RETRACTED, IncidentKind.EXPIRED}


def list_life(life: Life, run: Run | None) -> Iterator[Line]:
    """Yield what PostgreSQL knows; the run knows the process that claimed it last."""
    source = Source.POSTGRESQL
    origin = f"by rule {life.rule_id}" if life.rule_id is not None else f"by the login {life.created_by}"
    what = f"workflow {life.workflow_key}" if life.workflow_key is not None else "no workflow"
    yield Line(
        life.created_at,
        source,
        f"inserted {origin}: {what} of {life.enterprise_id}, {count(life.recipients, 'recipient')}",
    )
    if life.scheduled_for is not None:
        yield Line(life.scheduled_for, source, "comes due" if life.scheduled_for > life.now else "came due")
    # The rescue's claim is an incident, and has a line of its own.
    reclaimed = {each.attempt for each in life.incidents if each.kind is IncidentKind.RECLAIMED}
    if life.claimed_at is not None and life.attempt not in reclaimed:
        claimer = None if run is None else run.started_by
        yield Line(life.claimed_at, source, f"claimed: attempt {life.attempt}{_waited(life)}", claimer)
    for chunk in life.chunks:
        answer = f"{chunk.outcome} ({chunk.code})" if chunk.code else chunk.outcome or "not sent yet"
        yield Line(
            chunk.answered_at,
            source,
            f"chunk {chunk.number} of {len(life.chunks)}, {count(chunk.recipients, 'recipient')}: {answer}",
        )
    for incident in life.incidents:
        yield Line(incident.happened_at, source, _describe(incident), incident.worker)
    yield from _end(life)


def _waited(life: Life) -> str:
    """Return how long its last claim let it wait, if the row still shows since when."""
    assert life.claimed_at is not None  # noqa: S101 - the caller has checked it
    before = [incident.last_at for incident in life.incidents if incident.last_at < life.claimed_at]
    since = max(before, default=None) if life.attempt > 1 else life.due_at
    if life.next_attempt_at is not None and life.next_attempt_at <= life.claimed_at:
        since = life.next_attempt_at
    return "" if since is None else f", {format_span(life.claimed_at - since)} after it was due"


def _describe(incident: Incident) -> str:
    text = _WORDS.get(incident.kind, f"{incident.kind}, attempt {{attempt}}").format(attempt=incident.attempt)
    if incident.code is not None:
        text += f" ({incident.code})"
    if incident.times > 1:
        text += f", {incident.times} times until {format_moment(incident.last_at)}"
    return text if incident.worker is not None else f"{text}, by the login {incident.login}"


def _end(life: Life) -> Iterator[Line]:
    """Yield the end of the straight way, and ends and requests of rows that are older than their incidents."""
    seen = {incident.kind for incident in life.incidents}
    if life.status is Status.SENT:
        yield Line(life.processed_at, Source.POSTGRESQL, "SENT: Novu's acceptance was recorded")
    elif life.status in {Status.DEAD, Status.RETRACTED} and not seen & _ENDS:
        yield Line(life.retracted_at or life.processed_at, Source.POSTGRESQL, str(life.status))
    if life.retract_requested_at is not None and not seen & {
        IncidentKind.RETRACTION_REQUESTED,
        IncidentKind.RETRACTED,
    }:
        yield Line(life.retract_requested_at, Source.POSTGRESQL, "its retraction was requested")


def list_run(run: Run) -> Iterator[Line]:
    """Yield what Temporal knows of the last run."""
    shared = (
        f" of {run.notifications} notifications"
        if run.notifications is not None and run.notifications > 1
        else ""
    )
    yield Line(run.started_at, Source.TEMPORAL, f"the run{shared} was started", run.started_by)
    for number, each in enumerate(run.tries, start=1):
        yield Line(
            each.ended_at or each.began_at,
            Source.TEMPORAL,
            f"try {number} {_describe_try(each)}",
            each.worker,
        )
    if run.closed_at is not None:
        reason = f": {run.error}" if run.error else ""
        yield Line(run.closed_at, Source.TEMPORAL, f"the run ended, {run.state}{reason}")


def _describe_try(each: Try) -> str:
    kind = "(local)" if each.local else "(regular)"
    if each.ended_at is None:
        before = f"; the try before: {each.error}" if each.error else ""
        return f"{kind} {'runs' if each.began_at else 'waits'}{before}"
    return f"{kind} failed: {each.error}" if each.error else f"{kind} ended"


def list_activity(activity: Activity) -> Iterator[Line]:
    """Yield what Novu did with its triggers."""
    if activity.subscribers == 0:
        yield Line(
            None, Source.NOVU, "it knows no subscriber of these triggers: they reached nobody, or are too old"
        )
        return
    more = "" if activity.complete else " at least"
    yield Line(None, Source.NOVU, f"the triggers reached{more} {count(activity.subscribers, 'subscriber')}")
    for step in activity.steps:
        provider = f" by {step.provider}" if step.provider else ""
        detail = f", last: {step.detail}" if step.detail else ""
        yield Line(
            None,
            Source.NOVU,
            f"{step.kind}{provider}: {step.status} for {count(step.subscribers, 'subscriber')}{detail}",
        )
