"""Write the sample data: the suite as an administrator, the notifications as tenants."""

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.dev.sample.suite import templates, workflows
from xnovu_poller.lifecycle import PublishStatus

_WORKFLOW = """
INSERT INTO notify.ent_notification_workflow (enterprise_id, workflow_key, name, description, workflow_type,
    default_channels, payload_schema, template_overrides, publish_status)
VALUES (%(enterprise_id)s, %(workflow_key)s, %(name)s, %(description)s, %(workflow_type)s::notify.workflow_type,
    %(default_channels)s::notify.channel_type[], %(payload_schema)s, %(template_overrides)s,
    %(publish_status)s::notify.publish_status)
"""

_TEMPLATE = """
INSERT INTO notify.ent_notification_template (enterprise_id, template_key, name, channel_type, subject_template,
    body_template, defaults, publish_status)
VALUES (%(enterprise_id)s, %(template_key)s, %(name)s, %(channel_type)s::notify.channel_type,
    %(subject_template)s, %(body_template)s, %(defaults)s, %(publish_status)s::notify.publish_status)
"""

_ENQUEUE = """
SELECT notify.enqueue(%(enterprise_id)s, %(workflow_key)s, %(recipients)s, payload => %(payload)s,
    name => %(name)s, channels => %(channels)s::notify.channel_type[], priority => %(priority)s,
    dedup_key => %(dedup_key)s, scheduled_for => now() + %(schedule_after)s::interval,
    expires_at => now() + %(expires_after)s::interval)
"""

_INSERT_UNPUBLISHED = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, payload, recipients, priority,
    publish_status)
SELECT %(enterprise_id)s, %(name)s, id, %(payload)s, %(recipients)s, %(priority)s,
    %(publish_status)s::notify.publish_status
FROM notify.ent_notification_workflow
WHERE workflow_key = %(workflow_key)s
ORDER BY enterprise_id NULLS LAST
LIMIT 1
RETURNING id
"""


def load_suite(connection: Connection[TupleRow]) -> None:
    """Write all workflows and templates in one transaction; the role must be allowed to write global rows."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_WORKFLOW, [_to_columns(asdict(workflow)) for workflow in workflows()])
        cursor.executemany(_TEMPLATE, [_to_columns(asdict(template)) for template in templates()])


def insert(connection: Connection[TupleRow], sample: SampleNotification, standin: StandIn) -> int | None:
    """Write a notification in a transaction of its tenant, and retract it if the sample requires that.

    The stand-in's first answer is scripted before the commit: after it, the worker may already send the
    notification.

    Args:
        connection: with the role `xnovu_producer`.
        sample: the notification.
        standin: refuses the first trigger if the sample requires that.

    Returns:
        The row's id; None if the enterprise already has a notification with this dedup key.
    """
    try:
        with connection.transaction():
            _act_as(connection, sample.enterprise_id)
            published = sample.publish_status is PublishStatus.PUBLISH
            statement = _ENQUEUE if published else _INSERT_UNPUBLISHED
            notification_id: int = _select_value(connection, statement, _to_columns(asdict(sample)))
            if sample.first_answer is not None:
                standin.refuse_first(_read_transaction_id(connection, notification_id), sample.first_answer)
    except UniqueViolation as refusal:
        if refusal.diag.constraint_name != "ent_notification_dedup":
            raise
        return None
    if sample.retract:
        with connection.transaction():
            _act_as(connection, sample.enterprise_id)
            _select_value(
                connection,
                "SELECT notify.retract(%(id)s, 'called off')",
                {"id": notification_id},
            )
    return notification_id


def _act_as(connection: Connection[TupleRow], enterprise_id: str) -> None:
    """Act as a tenant until the end of the transaction."""
    connection.execute("SELECT set_config('app.current_enterprise_id', %s, true)", [enterprise_id])


def _read_transaction_id(connection: Connection[TupleRow], notification_id: int) -> str:
    statement = "SELECT transaction_id FROM notify.ent_notification WHERE id = %(id)s"
    return str(_select_value(connection, statement, {"id": notification_id}))


def _select_value(connection: Connection[TupleRow], statement: str, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - what the statement selects
    row = connection.execute(statement, values).fetchone()
    assert row is not None  # noqa: S101 - each of the statements gives one row
    return row[0]


def _to_columns(fields: Mapping[str, object]) -> dict[str, object]:
    """Return a sample's fields in the form that the driver takes."""
    return {name: _to_parameter(value) for name, value in fields.items()}


def _to_parameter(value: object) -> object:
    match value:
        case StrEnum():
            return value.value
        case dict():
            return Jsonb(value)
        case tuple():
            return [str(part) for part in value]
        case _:
            return value
