"""Whose database this is: its read_deployment, the signs that it is a copy, and a copy's two ways to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from xnovu_poller.errors import DeploymentDisputed, StoreError
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine, acquire

WORKER = "worker"
"""The part as which a worker connects, by which it is seen here."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Who this database says it is.

    Attributes:
        id: prefixes workflow ids, and travels in their input.
        known_since: workflows of before say nothing about this database; None: there are none of before.
    """

    id: UUID
    known_since: datetime | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of a copy that is now a read_deployment of its own.

    Attributes:
        former: the id that is the original's alone now.
        id: the new one.
        renamed: how many notifications, of all that are not SENT, got new transaction ids.
        taken_back: how many of them were in the original's hands, and are due here again.
    """

    former: UUID
    id: UUID
    renamed: int
    taken_back: int


async def read_deployment(engine: Engine) -> Deployment:
    """Tell whose database this is; one that came from elsewhere without notifications and rules mints an id first.

    Raises:
        DeploymentDisputed: it came from elsewhere, and holds notifications, or rules that would fire beside the original's.
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        await connection.execute(_MINT)
        found = (await connection.execute(_WHOSE)).one()
    if found.elsewhere:
        raise DeploymentDisputed(found.id, "its rows came from another database or server")
    return Deployment(found.id, found.known_since)


async def verify_origin(engine: Engine, whose: Deployment, newest: Sequence[Attempt]) -> None:
    """See that Temporal has run nothing for this read_deployment that its database does not know of.

    Each claim is committed before its workflow is started, and neither an attempt nor the sequence of the
    ids ever falls: what retention deleted, what was claimed again, rescued or released is known here.

    Args:
        engine: where the rows are.
        whose: who the database says it is.
        newest: for what Temporal was asked to start workflows; read before this is called.

    Raises:
        DeploymentDisputed: another database has claimed under this deployment's id.
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {
        "ids": [attempt.notification_id for attempt in newest],
        "attempts": [attempt.number for attempt in newest],
    }
    async with acquire(engine) as connection:
        unknown = (await connection.execute(_UNKNOWN_HERE, values)).one_or_none()
    if unknown is not None:
        raise DeploymentDisputed(
            whose.id,
            f"Temporal knows attempt {unknown.attempt} of notification {unknown.id}, which it has not made",
        )


async def new_deployment(engine: Engine) -> Renewal:
    """Make a copy a read_deployment of its own, in one transaction.

    What is not SENT gets a new transaction id: the original may send it under the old one, and Novu would
    drop whichever comes second. To Novu the new ones are unknown, so the counters that stand for what it
    may remember begin anew. PROCESSING → PENDING, or FAILED where it came from: the workflows are the
    original's. A rule keeps what it has fired, and gets a schedule of its own: what lies ahead, both will fire.

    Raises:
        StoreError: workers are connected; nothing was changed.
        StoreUnavailable: PostgreSQL does not answer; nothing was changed unless the answer to the commit
            was lost.
    """
    async with acquire(engine, bounded=False) as connection:
        transacting = await connection.execution_options(isolation_level="READ COMMITTED")
        async with transacting.begin():
            for statement in _ALONE:
                await connection.execute(statement)
            if workers := await connection.scalar(_WORKERS, {"worker": f"xnovu:{WORKER}"}):
                raise StoreError(
                    f"database: workers are at attempt in it ({workers} connections); stop them first"
                )
            ids = (await connection.execute(_NEW)).one()
            counts = (await connection.execute(_RENAME)).one()
            await connection.execute(_FORGET)
            await connection.execute(_RENAME_CHUNKS)
            for statement in _LOOK_ANEW:
                await connection.execute(statement)
    return Renewal(ids.former, ids.id, counts.renamed, counts.taken_back)


async def keep_deployment(engine: Engine) -> Deployment:
    """Let the read_deployment live in this database from now on: the original is no more.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found = (await connection.execute(_KEEP)).one()
    return Deployment(found.id, found.known_since)


# The cluster's identifier is minted by initdb, and copied with its files; the oid is minted by CREATE DATABASE.
_HERE = """(
    SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
    FROM pg_control_system()
) AS here"""

_MINT = text(f"""
UPDATE notify.read_deployment SET id = gen_random_uuid(), database = here.database, known_since = NULL
FROM {_HERE}
WHERE read_deployment.database <> here.database AND NOT EXISTS (SELECT FROM notify.ent_notification)
    AND NOT EXISTS (SELECT FROM notify.ent_notification_rule)""")  # noqa: S608 - built of this module's constants

_WHOSE = text(f"""
SELECT id, known_since, read_deployment.database <> here.database AS elsewhere
FROM notify.read_deployment, {_HERE}""")  # noqa: S608 - built of this module's constants

_UNKNOWN_HERE = text("""
SELECT asked.id, asked.attempt
FROM notify.ent_notification_id_seq AS counter,
    unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) WITH ORDINALITY AS asked (id, attempt, place)
LEFT JOIN notify.ent_notification n ON n.id = asked.id
WHERE asked.attempt > n.attempt
    OR n.id IS NULL AND asked.id > CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END
ORDER BY asked.place LIMIT 1""")

# A worker that starts now waits for the lock, and then learns the new id; but it is connected, and refused.
_ALONE = (text("SET LOCAL statement_timeout = 0"), text("LOCK TABLE notify.deployment"))

_WORKERS = text("""
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :worker""")

_NEW = text(f"""
UPDATE notify.read_deployment SET id = gen_random_uuid(), database = here.database, known_since = now(), created_at = now()
FROM {_HERE}, (SELECT id FROM notify.read_deployment) AS former
RETURNING former.id AS former, read_deployment.id""")  # noqa: S608 - built of this module's constants

_KEEP = text(f"""
UPDATE notify.read_deployment SET database = here.database, known_since = now() FROM {_HERE}
RETURNING id, known_since""")  # noqa: S608 - built of this module's constants

# DEAD and RETRACTED rows may be revived: they get another id, and keep what they tell.
_RENAME = text("""
WITH renamed AS (
    UPDATE notify.ent_notification AS n SET
        transaction_id = 'xn-' || gen_random_uuid(),
        -- A release: only what came from FAILED has a time for its next attempt.
        notification_status = CASE WHEN unsent.status <> 'PROCESSING' THEN unsent.status
            WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END,
        refusals = CASE WHEN unsent.waits THEN 0 ELSE n.refusals END,
        unknown_outcomes = CASE WHEN unsent.waits THEN 0 ELSE n.unknown_outcomes END,
        lapses = CASE WHEN unsent.waits THEN 0 ELSE n.lapses END,
        lease_expires_at = NULL, send_until = NULL
    FROM (
        SELECT id, notification_status AS status, notification_status NOT IN ('DEAD', 'RETRACTED') AS waits
        FROM notify.ent_notification WHERE notification_status <> 'SENT'
        ORDER BY id FOR UPDATE
    ) AS unsent
    WHERE n.id = unsent.id
    RETURNING unsent.status
)
SELECT count(*) AS renamed, count(*) FILTER (WHERE status = 'PROCESSING') AS taken_back FROM renamed""")

_FORGET = text("""
UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
FROM notify.ent_notification n
WHERE n.id = d.notification_id AND n.notification_status IN ('PENDING', 'FAILED') AND d.outcome = 'unknown'""")

_RENAME_CHUNKS = text("""
UPDATE notify.ent_notification_delivery AS d
SET transaction_id = concat(n.transaction_id, '-', d.chunk), refusals = 0
FROM notify.ent_notification n
WHERE n.id = d.notification_id AND n.notification_status <> 'SENT' AND d.outcome IS DISTINCT FROM 'accepted'""")

# The schedules are the original's, and so is what its chores did.
_LOOK_ANEW = (
    text("""
UPDATE notify.ent_notification_rule SET rule_status = NULL, rule_error = NULL WHERE rule_status IS NOT NULL"""),
    text("DELETE FROM notify.chore"),
)
