"""Forty fates of notifications, and the cause that the story of each should name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.support import lives
from tests.support.lives import AWAY, World
from xnovu_poller.errors import PayloadInvalid, Poison, WorkflowNotFound
from xnovu_poller.lifecycle import ErrorDetails


@dataclass(frozen=True, slots=True)
class Fate:
    """A fate: what brings it about, and words of its cause and of what comes next.

    Attributes:
        attended: a worker is connected.
    """

    script: Callable[[World], Awaitable[int]]
    cause: str
    coming: str
    attended: bool = True


WAITS = "a worker claims it: attempt"
TRY = "its run sends it; if this time passes"
BY_HAND = "nothing by itself; correct the cause, then run `xnovu notification revive"
DRAFT = "nothing, until its producer publishes it"
INACTIVE = "nothing, until its producer activates it"
OVER = "nothing; retention deletes it later"

FATES: dict[str, Fate] = {
    "due, nobody works": Fate(
        lives.plain(), "and no worker is connected to the database", "no worker", attended=False
    ),
    "due": Fate(lives.plain(), "PENDING: it has been due since", WAITS),
    "scheduled": Fate(
        lives.plain(scheduled_for="2100-01-01T00:00Z"),
        "it is scheduled for 2100-01-01 00:00:00 UTC",
        "it comes due",
    ),
    "deactivated": Fate(lives.plain(deactivated=True), "it is deactivated, so no loop claims it", INACTIVE),
    "a draft": Fate(lives.plain(publish_status="DRAFT"), "its publish_status is DRAFT", DRAFT),
    "expired a moment ago": Fate(
        lives.plain(expires_at="2020-01-01T00:00Z"), "it expired at 2020-01-01", "next turn retracts it"
    ),
    "its enterprise is at its limit": Fate(
        lives.at_its_limit, "its enterprise has 1 in flight, which is its limit", "but its enterprise"
    ),
    "a person has paused its enterprise": Fate(
        lives.paused("alice", "2100-01-01T00:00Z"),
        "alice has paused it until 2100-01-01 00:00:00 UTC: too many",
        "but alice has paused it",
    ),
    "the brake holds its enterprise": Fate(
        lives.paused("brake"), "the brake of its enterprise holds it until a person resumes it", "the brake"
    ),
    "a workflow is paused, and it has none": Fate(
        lives.without_workflow, "carol has paused it until a person resumes it", "but carol has paused it"
    ),
    "its enterprise has a rate": Fate(lives.throttled, "its enterprise may start 0.5 a second", WAITS),
    "released by a stop": Fate(lambda w: lives.released(w, None), "its claim was released at", WAITS),
    "released by an outage": Fate(
        lambda w: lives.released(w, AWAY), "cannot serve now (503); code novu_unavailable", WAITS
    ),
    "rescued": Fate(lives.rescued, "it was rescued after its run had gone at", WAITS),
    "revived": Fate(lives.revived, "it was revived at", WAITS),
    "claimed": Fate(lives.just_claimed, "and its run has not begun to send it", TRY),
    "being sent": Fate(
        lives.being_sent, "PROCESSING: a call to Novu is under way.", "Novu's answer is recorded"
    ),
    "withdrawn during its send": Fate(
        lives.sending_withdrawn, "under way, and its retraction waits", "Novu's answer"
    ),
    "withdrawn between two tries": Fate(
        lives.withdrawn_while_claimed, "its retraction waits for the end of this attempt", TRY
    ),
    "its sender disappeared": Fate(lives.sender_gone, "its sender disappeared during a call to Novu", TRY),
    "Novu did not answer": Fate(
        lives.unanswered, "Novu may have accepted it (Novu: outcome unknown (ReadTimeout)", TRY
    ),
    "a try was refused": Fate(
        lives.refused, "a try ended without success (Novu: something in front of it answers 413", TRY
    ),
    "claimed again by the rescue": Fate(
        lives.reclaimed, "because its sender had gone, and its run has not begun", TRY
    ),
    "its lease is over": Fate(
        lives.lease_over, "and it has not been rescued yet.", "the rescue asks Temporal"
    ),
    "its lease is over, nobody works": Fate(
        lives.lease_over, "because no worker is connected", "the rescue asks", attended=False
    ),
    "half of its chunks": Fate(lives.half_accepted, "Novu has accepted 1 of its 2 chunks", TRY),
    "failed": Fate(lambda w: w.failed(), "attempt 1 failed (Novu: cannot serve now (503)", "attempt 2"),
    "failed, due again": Fate(lambda w: w.failed(wait=timedelta(0)), "the next has been due since", WAITS),
    "failed by lost contact": Fate(
        lives.lost_contact, "code lost_contact), and the next is due at", "attempt 2"
    ),
    "failed and deactivated": Fate(
        lambda w: lives.failed_and(w, deactivated=True), "failed, and it is deactivated", INACTIVE
    ),
    "failed and expired": Fate(
        lambda w: lives.failed_and(w, expires_at="2020-01-01"), "failed, and it expired at", "retracts it"
    ),
    "failed and withdrawn": Fate(lives.failed_and_withdrawn, "its next attempt asks Novu to cancel", WAITS),
    "sent": Fate(lambda w: w.sent(), "SENT: Novu accepted it at its first attempt, ", OVER),
    "sent later": Fate(lambda w: lives.sent_later(w, unknown=False), "Novu accepted it at attempt 2.", OVER),
    "sent after doubts": Fate(
        lambda w: lives.sent_later(w, unknown=True), "after 1 call without a known outcome", OVER
    ),
    "sent in chunks": Fate(lives.chunks_sent, "Novu accepted all 2 chunks at its first attempt", OVER),
    "withdrawn too late": Fate(
        lambda w: lives.cancelled(w, None), "is still to be asked to cancel it", "asks Novu to cancel"
    ),
    "cancelled": Fate(
        lambda w: lives.cancelled(w, "cancelled"), "and cancelled the steps that were still to come", OVER
    ),
    "nothing to cancel": Fate(
        lambda w: lives.cancelled(w, "nothing_left"), "and had nothing left to cancel", OVER
    ),
    "an invalid payload": Fate(
        lambda w: w.dead(ErrorDetails.of(PayloadInvalid("$.order", "is required"))),
        "payload: $.order is required",
        BY_HAND,
    ),
    "no workflow": Fate(
        lambda w: w.dead(ErrorDetails.of(WorkflowNotFound("7", "is not published"))),
        "code workflow_not_found",
        BY_HAND,
    ),
    "poison": Fate(
        lambda w: w.dead(ErrorDetails.of(Poison(4))), "its sender died 4 times; code poison", BY_HAND
    ),
    "failed too often": Fate(
        lives.failed_too_often, "2 attempts failed, the last because of: Novu: outcome unknown", BY_HAND
    ),
    "a chunk was rejected": Fate(lives.chunk_rejected, "it rejected the chunks 2 of 2", BY_HAND),
    "dead before there were incidents": Fate(
        lives.ended_before_incidents, "its sender died 4 times", BY_HAND
    ),
    "retracted": Fate(lives.retracted, "before Novu accepted it with the reason: ordered", BY_HAND),
    "expired": Fate(lives.expired, "it expired at 2020-01-01 00:00:00 UTC, before Novu accepted it", BY_HAND),
    "retracted as expired": Fate(lives.retracted_as_expired, "it was withdrawn at", BY_HAND),
    "retracted by the worker": Fate(lives.withdrawn_by_worker, "it was withdrawn at", BY_HAND),
    "retracted in doubt": Fate(
        lambda w: lives.withdrawn_by_worker(w, unknown=True), "Novu may have delivered it", BY_HAND
    ),
}
"""The fates by name."""
