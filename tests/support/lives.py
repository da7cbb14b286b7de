"""Lives of notifications, each brought about by our own arrows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.held import verdict
from tests.support.incidents import a_held, finish, hold_one
from tests.support.rows import Db, a_notification, a_workflow, attempt_of, back_dated, row, written
from xnovu_poller.errors import (
    LostContact,
    NovuUnanswered,
    NovuUnavailable,
    Poison,
)
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk, by_claim, by_hold
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.by_operator import revive
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.verdict import Ending

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TERMS = Terms(prefix="dep", batch=100, group_size=1, max_in_flight=100, lease=MINUTE)
AWAY, LOST = ErrorDetails.of(NovuUnavailable("503")), ErrorDetails.of(LostContact())
SILENT = ErrorDetails.of(NovuUnanswered("ReadTimeout"))
BLOCKED = ErrorDetails("novu_blocked", "Novu: something in front of it answers 413")


@dataclass(frozen=True, slots=True)
class World:
    """The database in which the fates take their course."""

    db: Db
    engine: Engine

    def claimed(self, **columns: object) -> Attempt:
        """Insert a notification that was claimed a moment ago."""
        made = a_notification(self.db, status=Status.PROCESSING, **columns)  # type: ignore[arg-type] # any column
        written(self.db, made, claimed_at=datetime.now(UTC))
        return attempt_of(self.db, made)

    def claim_again(self, id_: int) -> Attempt:
        """Claim a notification as a loop does."""
        self.db.execute(
            "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = attempt + 1,"
            " claimed_at = now(), lease_expires_at = now() + interval '1 min', temporal_workflow_id = 'w' WHERE id = %s",
            [id_],
        )
        return attempt_of(self.db, id_)

    async def held(self, **columns: object) -> Hold:
        """Insert a notification that is being sent."""
        return await a_held(self.engine, self.db, **columns)

    async def failed(self, error: ErrorDetails = AWAY, *, wait: timedelta = HOUR, **columns: object) -> int:
        """Insert a notification whose first attempt failed."""
        right = await self.held(**columns)
        await by_hold.record_failed(
            self.engine, [verdict(right, Ending.FAILED, error, wait=wait)], max_failures=8
        )
        return right.notification_id

    async def dead(self, error: ErrorDetails) -> int:
        """Insert a notification that ended DEAD."""
        right = await self.held()
        await by_hold.record_dead(self.engine, [verdict(right, Ending.DEAD, error)])
        return right.notification_id

    async def sent(self) -> int:
        """Insert a notification that was sent at its first attempt."""
        right = await self.held()
        await finish(self.engine, right)
        return right.notification_id

    def retract(self, id_: int, reason: str = "retracted") -> int:
        """Retract a notification as a producer does."""
        self.db.execute("SELECT notify.retract(%s, %s)", [id_, reason])
        return id_

    async def answer(self, right: Hold, chunk: by_chunk.Chunk, outcome: Any) -> Hold:  # noqa: ANN401 - a literal
        """Record the answer to a chunk."""
        error = None if outcome == "accepted" else BLOCKED
        renewed = await by_chunk.record_chunk_answer(
            self.engine, right, chunk, outcome=outcome, error=error, refused=False, deadline=MINUTE
        )
        assert renewed is not None
        return renewed

    async def chunked(self) -> tuple[Hold, list[by_chunk.Chunk]]:
        """Insert a notification of two chunks that is being sent."""
        right = await self.held(recipients=[f"s-{number}" for number in range(150)])
        parts = by_chunk.split_recipients(row(self.db, right.notification_id)["recipients"])
        return right, await by_chunk.create_chunks(self.engine, right, parts)


async def revived(world: World) -> int:
    """Revive a notification that was poison."""
    id_ = await world.dead(ErrorDetails.of(Poison(4)))
    await revive(world.engine, [id_])
    return id_


async def released(world: World, error: ErrorDetails | None) -> int:
    """Release a claim, because of this error or a stop."""
    attempt = world.claimed()
    await by_claim.release(world.engine, [attempt], error)
    return attempt.notification_id


async def rescued(world: World) -> int:
    """Release a claim whose lease has lapsed, as the rescue does."""
    attempt = world.claimed()
    back_dated(world.db, attempt.notification_id)
    await by_claim.release(world.engine, [attempt])
    return attempt.notification_id


async def at_its_limit(world: World) -> int:
    """Insert a due notification whose enterprise has as many in flight as it may."""
    world.db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, in_flight) VALUES ('busy', 1)")
    world.claimed(enterprise="busy")
    return a_notification(world.db, enterprise="busy")


async def throttled(world: World) -> int:
    """Insert a due notification whose enterprise has a rate."""
    world.db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('slow', 0.5)")
    return a_notification(world.db, enterprise="slow")


def paused(by: str, ends_at: str | None = None) -> Callable[[World], Awaitable[int]]:
    """Return a script: a due notification whose enterprise is paused."""

    async def script(world: World) -> int:
        world.db.execute(
            "INSERT INTO notify.pause (enterprise_id, reason, paused_by, ends_at) VALUES (%s, 'too many', %s, %s)",
            [f"paused by {by}", by, ends_at],
        )
        return a_notification(world.db, enterprise=f"paused by {by}")

    return script


async def without_workflow(world: World) -> int:
    """Insert a due notification without a workflow, whose enterprise has a workflow that is paused for ever."""
    world.db.execute(
        "INSERT INTO notify.pause (enterprise_id, workflow_key, reason, paused_by, ends_at)"
        " VALUES ('none', 'evacuate', 'a wrong text', 'carol', 'infinity')"
    )
    return a_notification(world.db, enterprise="none")


async def sending_withdrawn(world: World) -> int:
    """Retract a notification during its send."""
    return world.retract((await world.held()).notification_id)


async def sender_gone(world: World) -> int:
    """Let a hold lapse."""
    right = await world.held()
    back_dated(world.db, right.notification_id, HOUR, "send_until")
    return right.notification_id


async def unanswered(world: World) -> int:
    """Record that Novu did not answer."""
    right = await world.held()
    await by_hold.record_unknown(world.engine, [verdict(right, Ending.UNKNOWN, SILENT)])
    return right.notification_id


async def refused(world: World) -> int:
    """Record that a try was refused and another follows."""
    right = await world.held()
    await by_hold.clear_hold(world.engine, [verdict(right, Ending.UNFINISHED, BLOCKED, refused=True)])
    return right.notification_id


async def reclaimed(world: World) -> int:
    """Claim again after the sender has gone, as the rescue does."""
    right = await world.held()
    back_dated(world.db, right.notification_id, HOUR, "send_until", "lease_expires_at")
    await by_claim.reclaim(world.engine, [right.attempt], TERMS)
    # As the lapsed hold of the twin that is taken over next.
    written(world.db, right.notification_id, send_until=None)
    return right.notification_id


async def lease_over(world: World) -> int:
    """Let the lease of a claim end."""
    attempt = world.claimed()
    back_dated(world.db, attempt.notification_id)
    return attempt.notification_id


async def half_accepted(world: World) -> int:
    """Record that Novu accepted the first of two chunks."""
    right, chunks = await world.chunked()
    right = await world.answer(right, chunks[0], "accepted")
    await by_hold.clear_hold(world.engine, [verdict(right, Ending.UNFINISHED)])
    return right.notification_id


async def chunks_sent(world: World) -> int:
    """Record that Novu accepted both chunks."""
    right, chunks = await world.chunked()
    for chunk in chunks:
        right = await world.answer(right, chunk, "accepted")
    await finish(world.engine, right)
    return right.notification_id


async def chunk_rejected(world: World) -> int:
    """Record that Novu rejected the second chunk."""
    right, chunks = await world.chunked()
    right = await world.answer(right, chunks[0], "accepted")
    right = await world.answer(right, chunks[1], "refused")
    error = replace(BLOCKED, chunks=(2,))
    await by_hold.record_dead(world.engine, [verdict(right, Ending.DEAD, error)])
    return right.notification_id


async def lost_contact(world: World) -> int:
    """Record that a run lost contact with its activity during a send."""
    right = await world.held()
    back_dated(world.db, right.notification_id, HOUR, "send_until")
    lost = LostAttempt(right.attempt, HOUR, counted=True, died=True)
    await by_claim.record_lost_contact(world.engine, [lost], error=LOST, max_failures=8)
    return right.notification_id


async def failed_and(world: World, **columns: object) -> int:
    """Write columns of a failed notification."""
    id_ = await world.failed()
    written(world.db, id_, **columns)
    return id_


async def failed_and_withdrawn(world: World) -> int:
    """Retract a notification that failed with an unknown outcome."""
    right = await world.held()
    await by_hold.record_failed(
        world.engine, [verdict(right, Ending.FAILED, SILENT, wait=HOUR, unknown=True)], max_failures=8
    )
    return world.retract(right.notification_id)


async def failed_too_often(world: World) -> int:
    """Record as many failures as are allowed."""
    id_ = await world.failed(SILENT)
    right = await hold_one(world.engine, world.claim_again(id_))
    failure = verdict(right, Ending.FAILED, SILENT, wait=HOUR)
    await by_hold.record_failed(world.engine, [failure], max_failures=2)
    return id_


async def sent_later(world: World, *, unknown: bool) -> int:
    """Record SENT at the second attempt."""
    right = await world.held()
    failure = verdict(right, Ending.FAILED, SILENT, wait=HOUR, unknown=unknown)
    await by_hold.record_failed(world.engine, [failure], max_failures=8)
    right = await hold_one(world.engine, world.claim_again(right.notification_id))
    await finish(world.engine, right)
    return right.notification_id


async def cancelled(world: World, answer: str | None) -> int:
    """Retract a notification that was sent, and record Novu's answer to the cancel."""
    id_ = world.retract(await world.sent())
    if answer is not None:
        await by_claim.record_cancel_answer(world.engine, {id_: answer})
    return id_


async def withdrawn_by_worker(world: World, *, unknown: bool = False) -> int:
    """Record that a worker retracted a notification that it held."""
    right = await world.held(expires_at=datetime.now(UTC) + HOUR)
    await by_hold.record_retracted(world.engine, [verdict(right, Ending.RETRACTED, unknown=unknown)])
    return right.notification_id


async def expired(world: World) -> int:
    """Insert a notification that is over, and let a turn expire it."""
    id_ = a_notification(world.db, expires_at="2020-01-01T00:00Z")
    await by_claim.expire(world.engine)
    return id_


async def ended_before_incidents(world: World) -> int:
    """As a version left it that had no incidents."""
    id_ = await world.dead(ErrorDetails.of(Poison(4)))
    world.db.execute("DELETE FROM notify.ent_notification_event WHERE notification_id = %s", [id_])
    return id_


def plain(**columns: object) -> Callable[[World], Awaitable[int]]:
    """Return what inserts a notification with these columns."""

    async def insert(world: World) -> int:
        return a_notification(world.db, **columns)  # type: ignore[arg-type] # any column

    return insert


async def just_claimed(world: World) -> int:
    """Claim a notification."""
    return world.claimed(workflow=a_workflow(world.db, key="just-claimed")).notification_id


async def being_sent(world: World) -> int:
    """Hold a notification."""
    return (await world.held()).notification_id


async def withdrawn_while_claimed(world: World) -> int:
    """Retract a notification between two tries."""
    id_ = await unanswered(world)
    return world.retract(id_)


async def retracted_as_expired(world: World) -> int:
    """Let a producer withdraw a notification with the reason that an expiry has."""
    return world.retract(a_notification(world.db), "expired")


async def retracted(world: World) -> int:
    """Retract a notification, with a reason that a terminal would obey."""
    return world.retract(a_notification(world.db), "ordered \x1b[31mtwice")
