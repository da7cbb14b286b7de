"""The deployment that a database belongs to, the signs that it is a copy, and the two ways to use a copy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from xnovu_poller.errors import DeploymentDisputed, StoreError
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine, acquire

WORKER = "worker"
"""The part as which a worker connects; `new_deployment` finds workers by it."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment that the database belongs to.

    Attributes:
        id: its first digits are the prefix of run ids, and runs carry it in their input.
        known_since: runs from before this time prove nothing about this database; None: all runs do.
    """

    id: UUID
    known_since: datetime | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """The changes that made a copy a deployment of its own.

    Attributes:
        former: the id that now belongs to the original only.
        id: the new id.
        renamed: how many notifications got new transaction ids: all that are not SENT.
        taken_back: how many of them the original was processing; they are due here again.
    """

    former: UUID
    id: UUID
    renamed: int
    taken_back: int


# initdb makes the system identifier, which is copied with the cluster's files; CREATE DATABASE makes the oid.
_RENEW_EMPTY = text("""
    WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    UPDATE notify.deployment SET id = gen_random_uuid(), database = here.database, known_since = NULL
    FROM here
    WHERE deployment.database <> here.database AND NOT EXISTS (SELECT FROM notify.ent_notification)
        AND NOT EXISTS (SELECT FROM notify.ent_notification_rule)""")

_READ = text("""
    WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    SELECT id, known_since, deployment.database <> here.database AS is_elsewhere
    FROM notify.deployment, here""")


async def read_deployment(engine: Engine, *, renew: bool = True) -> Deployment:
    """Read which deployment the database belongs to.

    Args:
        renew: first give a new id to a copy without notifications and rules, because it has nothing that could be sent
            twice.

    Raises:
        DeploymentDisputed: it is a copy that holds notifications, or rules that would fire beside the original's.
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        if renew:
            await connection.execute(_RENEW_EMPTY)
        found = (await connection.execute(_READ)).one()
    if found.is_elsewhere:
        raise DeploymentDisputed(found.id, "its rows came from another database or server")
    return Deployment(found.id, found.known_since)


_UNKNOWN_HERE = text("""
    SELECT started.id, started.attempt
    FROM notify.ent_notification_id_seq AS counter,
        unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) WITH ORDINALITY AS started (id, attempt, position)
    LEFT JOIN notify.ent_notification n ON n.id = started.id
    WHERE started.attempt > n.attempt
        OR n.id IS NULL AND started.id > CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END
    ORDER BY started.position LIMIT 1""")


async def verify_origin(engine: Engine, deployment: Deployment, newest: Sequence[Attempt]) -> None:
    """Verify that Temporal ran nothing for this deployment that its database does not know.

    A claim is committed before its run starts, and neither attempts nor the sequence of ids ever fall. So the database
    knows every attempt that it made, even if the row was deleted, claimed again, rescued or released since.

    Args:
        newest: the attempts of Temporal's newest runs; read them before you call this.

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
            deployment.id,
            f"Temporal knows attempt {unknown.attempt} of notification {unknown.id}, which it has not made",
        )


_TIMEOUTS = text("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '30s', true)")

# A worker that starts now waits for the lock, and then reads the new id. If it connects before we count, we refuse.
_LOCK = text("LOCK TABLE notify.deployment")

_COUNT_WORKERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :application_name""")

_RENEW = text("""
    WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    ), former AS (
        -- The current id, which the original keeps.
        SELECT id FROM notify.deployment
    )
    UPDATE notify.deployment SET id = gen_random_uuid(), database = here.database, known_since = now(), created_at = now()
    FROM here, former
    RETURNING former.id AS former, deployment.id""")

# DEAD and RETRACTED rows get a new transaction id too, because they may be revived, but keep their counters.
_RENAME = text("""
    WITH unsent AS (
        -- All rows that are not SENT, locked, with their current state.
        SELECT id, notification_status AS status, notification_status NOT IN ('DEAD', 'RETRACTED') AS waits
        FROM notify.ent_notification WHERE notification_status <> 'SENT'
        ORDER BY id FOR UPDATE
    ), renamed AS (
        -- The same rows with new transaction ids; PROCESSING rows are released, which is an arrow.
        UPDATE notify.ent_notification AS n SET
            transaction_id = 'xn-' || gen_random_uuid(),
            -- Only a row that came from FAILED has a time for its next attempt.
            notification_status = CASE WHEN unsent.status <> 'PROCESSING' THEN unsent.status
                WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END,
            refusals = CASE WHEN unsent.waits THEN 0 ELSE n.refusals END,
            unknown_outcomes = CASE WHEN unsent.waits THEN 0 ELSE n.unknown_outcomes END,
            lapses = CASE WHEN unsent.waits THEN 0 ELSE n.lapses END,
            lease_expires_at = NULL, send_until = NULL
        FROM unsent
        WHERE n.id = unsent.id
        RETURNING unsent.status
    )
    SELECT count(*) AS renamed, count(*) FILTER (WHERE status = 'PROCESSING') AS taken_back FROM renamed""")

_FORGET_UNKNOWN_CHUNKS = text("""
    UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
    FROM notify.ent_notification n
    WHERE n.id = d.notification_id AND n.notification_status IN ('PENDING', 'FAILED') AND d.outcome = 'unknown'""")

_RENAME_CHUNKS = text("""
    UPDATE notify.ent_notification_delivery AS d
    SET transaction_id = concat(n.transaction_id, '-', d.chunk), refusals = 0
    FROM notify.ent_notification n
    WHERE n.id = d.notification_id AND n.notification_status <> 'SENT' AND d.outcome IS DISTINCT FROM 'accepted'""")

# The schedules belong to the original.
_FORGET_RULE_STATES = text("""
    UPDATE notify.ent_notification_rule SET rule_status = NULL, rule_error = NULL WHERE rule_status IS NOT NULL""")

# So do the chores that were done.
_FORGET_CHORES = text("DELETE FROM notify.chore")


async def new_deployment(engine: Engine) -> Renewal:
    """Make a copy a deployment of its own, in one transaction.

    An arrow for all rows at once: PROCESSING → PENDING, or back to FAILED, because the runs belong to the original.

    Every row that is not SENT gets a new transaction id. The original may send it under the old id, and Novu would
    drop the second send. Novu does not know the new ids, so the counters of refusals and unknown outcomes start again.
    A rule keeps its last firing and gets a schedule of its own: from now on, both deployments fire it.

    Raises:
        StoreError: workers are connected; nothing was changed.
        StoreUnavailable: PostgreSQL does not answer. Nothing was changed, unless only the answer to the
            commit was lost.
    """
    async with acquire(engine, bounded=False) as connection:
        transacting = await connection.execution_options(isolation_level="READ COMMITTED")
        async with transacting.begin():
            await connection.execute(_TIMEOUTS)
            await connection.execute(_LOCK)
            application = {"application_name": f"xnovu:{WORKER}"}
            if workers := await connection.scalar(_COUNT_WORKERS, application):
                raise StoreError(f"database: workers are connected ({workers} connections); stop them first")
            ids = (await connection.execute(_RENEW)).one()
            counts = (await connection.execute(_RENAME)).one()
            for statement in (_FORGET_UNKNOWN_CHUNKS, _RENAME_CHUNKS, _FORGET_RULE_STATES, _FORGET_CHORES):
                await connection.execute(statement)
    return Renewal(ids.former, ids.id, counts.renamed, counts.taken_back)


_KEEP = text("""
    WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    UPDATE notify.deployment SET database = here.database, known_since = now() FROM here
    RETURNING id, known_since""")


async def keep_deployment(engine: Engine) -> Deployment:
    """Make this database the deployment's own from now on, because the original is gone.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        found = (await connection.execute(_KEEP)).one()
    return Deployment(found.id, found.known_since)
