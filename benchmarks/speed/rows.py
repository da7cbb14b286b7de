"""The notifications to measure: a workflow with a schema, a template with variables, and its rows."""

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.speed.writes import Writes

ENTERPRISE = "acme"
PAYLOAD_BYTES = 600

_KEY = "order-shipped"

_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "order": {"type": "integer", "minimum": 1},
        "carrier": {"enum": ["by road", "by rail", "by sea"]},
        "note": {"type": "string", "maxLength": 2000},
    },
    "required": ["name", "order", "carrier", "note"],
}

_SUBJECT = "Order ${order} is on its way"
_BODY = "<p>Dear ${name},</p><p>your order ${order} left us ${carrier}.</p><p>${note}</p>"

_WORKFLOW = """
INSERT INTO notify.ent_notification_workflow (name, workflow_key, workflow_type, default_channels, payload_schema,
    template_overrides, publish_status)
VALUES (%(key)s, %(key)s, 'DYNAMIC', '{EMAIL}', %(schema)s, jsonb_build_object('EMAIL', %(key)s::text), 'PUBLISH')
"""

_TEMPLATE = """
INSERT INTO notify.ent_notification_template (name, template_key, channel_type, subject_template, body_template,
    publish_status)
VALUES (%(key)s, %(key)s, 'EMAIL', %(subject)s, %(body)s, 'PUBLISH')
"""

_INSERT = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload, priority)
SELECT %(enterprise)s, 'order shipped', workflow.id, ARRAY['subscriber-' || number],
    jsonb_build_object('name', 'Customer ' || number, 'order', number, 'carrier', 'by rail', 'note',
        rpad('Parcel ' || number || ' ', %(note)s, 'a word or two ')),
    %(priority)s
FROM {numbers} AS number,
    (SELECT id FROM notify.ent_notification_workflow WHERE workflow_key = %(key)s) AS workflow
"""
_ROWS = _INSERT.format(numbers="generate_series(1, %(count)s)")
_ROW = _INSERT.format(numbers="CAST(%(number)s AS int)") + "RETURNING transaction_id"

# The rest of the payload takes about seventy bytes.
_NOTE_BYTES = PAYLOAD_BYTES - 73


def prepare(url: str) -> None:
    """Insert the workflow and its template, both global; call it once for each database."""
    with psycopg.connect(url) as connection:
        connection.execute(_WORKFLOW, {"key": _KEY, "schema": Jsonb(_SCHEMA)})
        connection.execute(_TEMPLATE, {"key": _KEY, "subject": _SUBJECT, "body": _BODY})


def fill(url: str, count: int, *, enterprise: str = ENTERPRISE, priority: int = 0) -> Writes:
    """Commit due notifications of 600 bytes in one transaction, which also analyses them and writes them to disk.

    A running worker sees all of them at once, and the planner has the statistics of the full table. Return the counts of
    just before the commit.
    """
    with psycopg.connect(url) as connection, psycopg.connect(url, autocommit=True) as other:
        insert(connection, count, enterprise=enterprise, priority=priority)
        connection.execute("ANALYZE notify.ent_notification")
        other.execute("CHECKPOINT")
        return Writes.read(url)


def insert(
    connection: psycopg.Connection, count: int, *, enterprise: str = ENTERPRISE, priority: int = 0
) -> None:
    """Insert due notifications; the caller commits."""
    values = {
        "enterprise": enterprise,
        "count": count,
        "note": _NOTE_BYTES,
        "key": _KEY,
        "priority": priority,
    }
    connection.execute(_ROWS, values)


async def insert_one(
    connection: psycopg.AsyncConnection, number: int, *, enterprise: str = ENTERPRISE
) -> str:
    """Insert a due notification as a producer does, and return its transaction id."""
    values = {
        "enterprise": enterprise,
        "number": number,
        "note": _NOTE_BYTES,
        "key": _KEY,
        "priority": 0,
    }
    made = await (await connection.execute(_ROW, values)).fetchone()
    assert made is not None  # noqa: S101 - INSERT … RETURNING of one row
    return str(made[0])


def states(url: str) -> dict[str, str]:
    """Return the state of each notification, by its transaction id."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT transaction_id, notification_status::text FROM notify.ent_notification"
            ).fetchall()
        )
