"""What comes next for a notification, and when."""

from collections.abc import Callable

from xnovu_poller.lifecycle import PublishStatus, Status
from xnovu_poller.store.notifications.life import Life
from xnovu_poller.story.cause import find_shortage
from xnovu_poller.story.story import Next


def foresee(life: Life) -> Next:
    """Return what comes next."""
    return _COMING[life.status](life)


def _foresee_claim(life: Life) -> Next:
    """Return the next step of a PENDING or FAILED notification."""
    if life.expires_at is not None and life.expires_at <= life.now:
        return Next("a worker's next turn retracts it")
    if life.publish_status is not PublishStatus.PUBLISH:
        return Next("nothing, until its producer publishes it")
    if life.deactivated:
        return Next("nothing, until its producer activates it")
    at = life.next_attempt_at if life.status is Status.FAILED else life.scheduled_for
    number = life.attempt + 1
    if at is not None and at > life.now:
        return Next(f"it comes due, and a worker claims it: attempt {number}", at)
    shortage = find_shortage(life)
    return Next(f"a worker claims it: attempt {number}" + (f"; but {shortage}" if shortage else ""))


def _foresee_outcome(life: Life) -> Next:
    """Return the next step of a PROCESSING notification."""
    if life.is_live:
        return Next(
            "Novu's answer is recorded, or this time passes and the rescue asks Temporal about its run",
            life.send_until,
        )
    if life.lease_expires_at is not None and life.lease_expires_at > life.now:
        return Next(
            "its run sends it; if this time passes, the rescue asks Temporal about the run",
            life.lease_expires_at,
        )
    return Next(
        "the rescue asks Temporal about its run, and releases it or claims it again if the run has gone"
    )


def _foresee_end(life: Life) -> Next:
    """Return the next step of a SENT notification."""
    if life.retract_requested_at is not None and not life.error:
        return Next("a worker asks Novu to cancel the steps that are still to come")
    return Next("nothing; retention deletes it later")


def _foresee_revival(life: Life) -> Next:
    return Next(f"nothing by itself; correct the cause, then run `xnovu notification revive {life.id}`")


_COMING: dict[Status, Callable[[Life], Next]] = {
    Status.PENDING: _foresee_claim,
    Status.FAILED: _foresee_claim,
    Status.PROCESSING: _foresee_outcome,
    Status.SENT: _foresee_end,
    Status.DEAD: _foresee_revival,
    Status.RETRACTED: _foresee_revival,
}
