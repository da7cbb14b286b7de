"""Read what the published workflows need in Novu, and keep a record of what we wrote there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel, WorkflowType
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Kind:
    """The published rows of one workflow_key and type, of all enterprises.

    Attributes:
        rows: how many there are.
        name: that of the global row; None if only enterprises have rows, whose words are not for all.
        channels: all that a row has by default or has a template for, in the order of `Channel`.
        schema: the payload_schema if it is the same in all rows; None if it differs, is too large, cannot be read, or none has one.
    """

    key: str
    type: WorkflowType
    rows: int
    name: str | None
    channels: tuple[Channel, ...]
    schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Record:
    """A workflow as we last wrote it to Novu.

    Attributes:
        identifier: what Novu calls it.
        written: our part of it, as it was sent.
        answered: the same part, as Novu answered.
    """

    identifier: str
    written: Mapping[str, Any]
    answered: Mapping[str, Any]
    written_at: datetime | None = None


_READ_KINDS = text("""
    WITH published AS (
        -- The rows that may be used.
        SELECT id, enterprise_id, name, workflow_key, workflow_type, default_channels, payload_schema, template_overrides
        FROM notify.ent_notification_workflow WHERE publish_status = 'PUBLISH' AND NOT deactivated
    ), kind AS (
        -- A line for each key and type. An absent schema differs from each that is there.
        SELECT workflow_key, workflow_type, min(id) AS id, count(*) AS rows,
            min(left(name, 255)) FILTER (WHERE enterprise_id IS NULL) AS name,
            count(DISTINCT coalesce(payload_schema, 'null')) = 1 AS agree
        FROM published GROUP BY workflow_key, workflow_type
    ), channel AS (
        -- The channels of each.
        SELECT workflow_key, workflow_type, array_agg(DISTINCT label) AS channels
        FROM published CROSS JOIN LATERAL (
            SELECT unnest(default_channels)::text UNION SELECT jsonb_object_keys(template_overrides)
        ) AS named (label)
        WHERE label = ANY (enum_range(NULL::notify.channel_type)::text[])
        GROUP BY workflow_key, workflow_type
    )
    SELECT kind.workflow_key, kind.workflow_type::text AS workflow_type, kind.rows, kind.name,
        coalesce(channel.channels, '{}') AS channels,
        CASE WHEN kind.agree AND octet_length(p.payload_schema::text) <= 65536 THEN p.payload_schema::text END AS schema
    FROM kind JOIN published p ON p.id = kind.id
    LEFT JOIN channel ON channel.workflow_key = kind.workflow_key AND channel.workflow_type = kind.workflow_type""")


async def read_kinds(engine: Engine) -> list[Kind]:
    """Read the published workflows of all enterprises, by key, then type.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ_KINDS)
        kinds = [
            Kind(
                row.workflow_key,
                WorkflowType(row.workflow_type),
                row.rows,
                row.name,
                tuple(channel for channel in Channel if channel in row.channels),
                _read_schema(row.schema),
            )
            for row in rows
        ]
    return sorted(kinds, key=lambda kind: (kind.key, kind.type))


def _read_schema(document: str | None) -> Mapping[str, Any] | None:
    """Return a schema; None if Python cannot read it and write it again, as a number beyond its range."""
    try:
        schema: Mapping[str, Any] | None = json.loads(document or "null")
        json.dumps(schema, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return schema


_READ_RECORDS = text("""
    SELECT workflow_key, identifier, written, answered, written_at FROM notify.workflow_sync""")


async def read_records(engine: Engine) -> dict[str, Record]:
    """Read the workflows as we last wrote them, by workflow_key.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ_RECORDS)
        return {
            row.workflow_key: Record(row.identifier, row.written, row.answered, row.written_at)
            for row in rows
        }


_RECORD = text("""
    INSERT INTO notify.workflow_sync (workflow_key, identifier, written, answered, written_at)
    VALUES (:key, :identifier, CAST(:written AS jsonb), CAST(:answered AS jsonb), clock_timestamp())
    ON CONFLICT (workflow_key) DO UPDATE SET identifier = EXCLUDED.identifier, written = EXCLUDED.written,
        answered = EXCLUDED.answered, written_at = EXCLUDED.written_at""")


async def record(engine: Engine, key: str, made: Record) -> None:
    """Record a workflow that we have written to Novu; it replaces the last record.

    Raises:
        StoreUnavailable: it may not have been written.
    """
    values = {
        "key": key,
        "identifier": made.identifier,
        "written": json.dumps(made.written),
        "answered": json.dumps(made.answered),
    }
    async with acquire(engine) as connection:
        await connection.execute(_RECORD, values)
