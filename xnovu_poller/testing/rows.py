"""Read what a transaction has enqueued."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from xnovu_poller.client.connections import execute, execute_async
from xnovu_poller.client.notification import Notification

# A statement of its own, because the view reads the setting before anything else.
_ACT_FOR = "SELECT pg_catalog.set_config('app.current_enterprise_id', :enterprise, true)"

# A trigger of the table makes created_at the time at which the transaction of the insert began.
_READ = """
SELECT CAST(pg_catalog.to_jsonb(written) AS text)
FROM (
    SELECT coalesce(workflow.workflow_key, '') AS workflow_key, notification.recipients, notification.payload,
        NULLIF(notification.name, workflow.workflow_key) AS name, notification.channels, notification.overrides,
        notification.tags, notification.priority, notification.dedup_key, notification.scheduled_for,
        notification.expires_at, notification.locale, notification.time_zone, notification.actor, notification.context,
        notification.exclude, notification.subscribers
    FROM notify.my_notifications AS notification
    LEFT JOIN notify.my_workflows AS workflow ON workflow.id = notification.notification_workflow_id
    WHERE notification.enterprise_id = :enterprise AND notification.created_at = pg_catalog.now()
    ORDER BY notification.id
) AS written"""
"""The notifications that the current transaction has written for an enterprise, as JSON, in their order."""


def enqueued(connection: Any, *, enterprise: str) -> list[Notification]:  # noqa: ANN401 - of three libraries
    """Return the notifications that the connection's transaction has written for an enterprise, also by SQL of its own.

    Args:
        connection: as for `xnovu_poller.client.enqueue`.
        enterprise: the enterprise; the transaction acts for it until its end.

    Raises:
        ClientError: as `xnovu_poller.client.enqueue`.
    """
    execute(connection, _ACT_FOR, {"enterprise": enterprise})
    return _read(execute(connection, _READ, {"enterprise": enterprise}))


async def enqueued_async(connection: Any, *, enterprise: str) -> list[Notification]:  # noqa: ANN401 - of two libraries
    """Do the same as `enqueued` with an async connection.

    Raises:
        ClientError: as `xnovu_poller.client.enqueue`.
    """
    await execute_async(connection, _ACT_FOR, {"enterprise": enterprise})
    return _read(await execute_async(connection, _READ, {"enterprise": enterprise}))


def _read(rows: Iterable[str]) -> list[Notification]:
    return [_notification(json.loads(row)) for row in rows]


def _notification(members: dict[str, Any]) -> Notification:
    for name in ("scheduled_for", "expires_at"):
        if members[name] is not None:
            members[name] = datetime.fromisoformat(members[name])
    return Notification(**members)
