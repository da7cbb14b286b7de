"""Questions without effect: workflows, templates, read_lapsed leases, and how much is waiting."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Channel, PublishStatus, WorkflowType
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

COUNTED_AT_MOST = 10_000
"""A count of waiting rows stops here: /status must be cheap whatever the backlog."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A kind of notification, as its row holds it; `version` changes with the row."""

    id: int
    version: datetime
    enterprise_id: str | None
    type: WorkflowType
    key: str
    channels: list[Channel]
    schema: dict[str, Any] | None
    templates: dict[str, str]
    publish_status: PublishStatus
    deactivated: bool


@dataclass(frozen=True, slots=True)
class Template:
    """The published words for one key and channel, the enterprise's own before the global ones."""

    id: int
    version: datetime
    channel: Channel
    subject: str | None
    body: str
    defaults: dict[str, Any]


TemplateKey = tuple[str, str, Channel]
"""Enterprise, template key and channel."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A PROCESSING notification whose lease has run out.

    Attributes:
        attempt: the one that was under way.
        run_id: whom to ask about it.
        sending: whether a send was begun that nobody has recorded.
    """

    attempt: Attempt
    run_id: str
    sending: bool


async def workflows(engine: Engine, ids: Collection[int]) -> dict[int, Workflow]:
    """Read workflows by id.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_WORKFLOWS, {"ids": list(ids)})
        return {
            row.id: Workflow(
                row.id,
                row.updated_at,
                row.enterprise_id,
                WorkflowType(row.workflow_type),
                row.workflow_key,
                [Channel(name) for name in row.channels],
                row.payload_schema,
                {name: key for name, key in row.template_overrides.items() if isinstance(key, str)},
                PublishStatus(row.publish_status),
                row.deactivated,
            )
            for row in rows
        }


async def templates(engine: Engine, keys: Collection[TemplateKey]) -> dict[TemplateKey, Template]:
    """Read the published templates that are wished for; those that there are none of are left out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {
        "enterprises": [key[0] for key in keys],
        "keys": [key[1] for key in keys],
        "channels": [key[2].value for key in keys],
    }
    async with acquire(engine) as connection:
        rows = await connection.execute(_TEMPLATES, values)
        return {
            (row.enterprise_id, row.key, Channel(row.channel)): Template(
                row.id,
                row.updated_at,
                Channel(row.channel),
                row.subject_template,
                row.body_template,
                row.variables_description,
            )
            for row in rows
        }


async def read_lapsed(engine: Engine, limit: int) -> Sequence[Lapsed]:
    """Read the rows whose lease has run out, the longest read_lapsed first.

    A row with a live send is left out: its sender may still record it.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_LAPSED, {"limit": limit})
        return [Lapsed(Attempt(row.id, row.attempt), row.temporal_workflow_id, row.sending) for row in rows]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A SENT notification whose producer has read_withdrawn it since.

    Attributes:
        notification_id: the row.
        transaction_ids: what Novu accepted of it: one, or one for each chunk.
        old: it was read_withdrawn more than an hour ago, and Novu has given no answer yet.
    """

    notification_id: int
    transaction_ids: list[str]
    old: bool


async def read_withdrawn(engine: Engine, limit: int, put_off: Collection[int]) -> list[Withdrawn]:
    """Read the SENT notifications that are read_withdrawn and not yet cancelled at Novu: the longest of each enterprise first.

    Args:
        engine: where the rows are.
        limit: most rows.
        put_off: ids to be left out.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_WITHDRAWN, {"limit": limit, "put_off": list(put_off)})
        return [Withdrawn(row.id, row.transaction_ids, row.old) for row in rows]


async def backlog(engine: Engine) -> dict[str, int]:
    """Count what is in flight and what each loop has due, each at most `COUNTED_AT_MOST`.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return dict((await connection.execute(_BACKLOG)).mappings().one())


async def time_to_next_due(engine: Engine) -> timedelta | None:
    """Tell how long it is until the next scheduled notification comes due; None if none is to come.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        ahead = await connection.scalar(_NEXT_DUE)
    return None if ahead is None else timedelta(seconds=float(ahead))


async def is_held_back(
    engine: Engine, due: Due, max_in_flight: int, enterprises: Collection[str] | None
) -> bool:
    """Tell whether rows may be due that a claim left: the deployment is full, or an enterprise at its limit.

    Args:
        engine: where the rows are.
        due: the loop's rows.
        max_in_flight: most PROCESSING rows of the deployment.
        enterprises: the tenants served; None for all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"max_in_flight": max_in_flight, "enterprises": enterprises and list(enterprises)}
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_HELD_BACK[due.name], values))


async def is_read_only(engine: Engine) -> bool:
    """Tell whether PostgreSQL refuses to write: a standby, or one that was told so.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_ONLY_READS))


_WORKFLOWS = text("""
    SELECT id, updated_at, enterprise_id, workflow_type::text AS workflow_type, workflow_key,
        default_channels::text[] AS channels, payload_schema, template_overrides,
        publish_status::text AS publish_status, deactivated
    FROM notify.ent_notification_workflow WHERE id = ANY (CAST(:ids AS bigint[]))""")

_TEMPLATES = text("""
    SELECT wish.enterprise_id, wish.key, wish.channel, t.id, t.updated_at, t.subject_template, t.body_template,
        t.variables_description
    FROM unnest(CAST(:enterprises AS text[]), CAST(:keys AS text[]), CAST(:channels AS text[]))
        AS wish (enterprise_id, key, channel)
    CROSS JOIN LATERAL (
        SELECT * FROM notify.ent_notification_template t
        WHERE t.template_key = wish.key AND t.channel_type = wish.channel::notify.channel_type
            AND (t.enterprise_id = wish.enterprise_id OR t.enterprise_id IS NULL)
            AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
        ORDER BY t.enterprise_id NULLS LAST
        LIMIT 1
    ) AS t""")

_LAPSED = text("""
    SELECT id, attempt, temporal_workflow_id, send_until IS NOT NULL AS sending FROM notify.ent_notification
    WHERE notification_status = 'PROCESSING' AND lease_expires_at < now()
        AND (send_until IS NULL OR send_until < now())
    ORDER BY lease_expires_at, id LIMIT :limit""")

# A loose index scan, as in the claims: no enterprise waits behind another.
_WAITING = "n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL"
_WITHDRAWN = text(f"""
    WITH RECURSIVE ring (enterprise_id) AS (
        (SELECT n.enterprise_id FROM notify.ent_notification n WHERE {_WAITING} ORDER BY n.enterprise_id LIMIT 1)
        UNION ALL
        SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE {_WAITING} AND n.enterprise_id > ring.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
        FROM ring WHERE ring.enterprise_id IS NOT NULL
    )
    SELECT one.id, one.retract_requested_at < clock_timestamp() - interval '1 hour' AS old,
        coalesce((SELECT array_agg(d.transaction_id ORDER BY d.chunk) FROM notify.ent_notification_delivery d
            WHERE d.notification_id = one.id), ARRAY[one.transaction_id]) AS transaction_ids
    FROM ring, LATERAL (
        SELECT n.id, n.retract_requested_at, n.transaction_id, row_number() OVER (ORDER BY n.retract_requested_at, n.id) AS place
        FROM notify.ent_notification n
        WHERE {_WAITING} AND n.enterprise_id = ring.enterprise_id AND n.id <> ALL (CAST(:put_off AS bigint[]))
            -- What was sent before a copy became a deployment of its own is the original's.
            AND n.processed_at >= (SELECT created_at FROM notify.deployment)
        ORDER BY n.retract_requested_at, n.id LIMIT :limit
    ) AS one
    ORDER BY one.place, one.retract_requested_at LIMIT :limit""")  # noqa: S608 - built of this module's constants

_HELD_BACK = {
    due.name: text(f"""
    SELECT (SELECT count(*) FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING') >= :max_in_flight
        OR EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE (CAST(:enterprises AS text[]) IS NULL OR l.enterprise_id = ANY (CAST(:enterprises AS text[])))
                AND (SELECT true FROM notify.ent_notification n
                    WHERE {due.owned} AND {due.ripe} AND n.enterprise_id = l.enterprise_id
                    ORDER BY {due.age} LIMIT 1))""")  # noqa: S608 - built of the loops' constants
    for due in (NEW, SCHEDULED, FAILED)
}

# The time as a sum of seconds: to PostgreSQL before 17 no span is infinite.
_NEXT_DUE = text(f"""
    SELECT greatest(0, extract(epoch FROM n.scheduled_for) - extract(epoch FROM clock_timestamp()))
    FROM notify.ent_notification n
    WHERE {SCHEDULED.owned} AND n.priority <= 9 AND n.scheduled_for > now() AND n.scheduled_for < 'infinity'
    ORDER BY n.scheduled_for LIMIT 1""")  # noqa: S608 - built of the loops' constants

_ONLY_READS = text("SELECT current_setting('transaction_read_only')::bool")

_COUNTS = ", ".join(
    f"(SELECT count(*) FROM (SELECT FROM notify.ent_notification n WHERE {due.owned} AND {due.ripe}"  # noqa: S608 - built of the loops' constants
    f" LIMIT {COUNTED_AT_MOST}) AS waiting) AS {due.name}"
    for due in (NEW, SCHEDULED, FAILED)
)
_BACKLOG = text(f"""
    SELECT (SELECT count(*) FROM (SELECT FROM notify.ent_notification WHERE notification_status = 'PROCESSING'
            LIMIT {COUNTED_AT_MOST}) AS held) AS in_flight, {_COUNTS}""")  # noqa: S608 - built of the loops' constants
