"""Enqueue inside your own transaction: it takes your connection, and neither opens, commits nor rolls back anything."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xnovu_poller.client import recording
from xnovu_poller.client.connections import execute, execute_async
from xnovu_poller.client.notification import Enqueued, Notification, to_json

_ENQUEUE = """
SELECT made.id
FROM ROWS FROM (pg_catalog.jsonb_to_recordset(CAST(:notifications AS jsonb)) AS (
    workflow_key text, recipients text[], payload jsonb, name text, channels notify.channel_type[], overrides jsonb,
    tags text[], priority int, dedup_key text, scheduled_for timestamptz, expires_at timestamptz, locale text,
    time_zone text, actor text, context jsonb, exclude text[], subscribers jsonb
)) WITH ORDINALITY AS given,
LATERAL notify.enqueue(
    pg_catalog.set_config('app.current_enterprise_id', :enterprise, true), given.workflow_key, given.recipients,
    given.payload, given.name, given.channels, given.overrides, given.tags, given.priority, given.dedup_key,
    given.scheduled_for, given.expires_at, 'return', given.locale, given.time_zone, given.actor, given.context,
    given.exclude, given.subscribers
) AS made (id)
ORDER BY given.ordinality"""
"""The id of each notification, in their order; the transaction acts for the enterprise from now on."""

# A trigger of the table makes created_at the time at which the transaction of the insert began.
_FIND_EARLIER = """
SELECT id FROM notify.my_notifications
WHERE id = ANY (CAST(:ids AS bigint[])) AND created_at <> pg_catalog.now()"""
"""The ids among these that other transactions have written."""


def enqueue(connection: Any, notification: Notification, *, enterprise: str) -> Enqueued:  # noqa: ANN401 - of three libraries
    """Enqueue a notification; it is sent only if your transaction commits.

    Args:
        connection: a connection of psycopg or Django, or a connection or session of SQLAlchemy, in a transaction.
        notification: what to send.
        enterprise: for which enterprise; your transaction acts for it until its end.

    Raises:
        ClientError: PostgreSQL refuses it, and the transaction has to roll back; or it was refused before it was sent to
            PostgreSQL.
    """
    return enqueue_all(connection, [notification], enterprise=enterprise)[0]


def enqueue_all(
    connection: Any,  # noqa: ANN401 - of three libraries
    notifications: Iterable[Notification],
    *,
    enterprise: str,
) -> list[Enqueued]:
    """Enqueue notifications in one statement, all or none; return what became of each, in their order.

    Raises:
        ClientError: as `enqueue`.
    """
    given = list(notifications)
    if (recorder := recording.recorder()) is not None:
        return recorder.take(given, enterprise)
    ids = execute(connection, _ENQUEUE, {"notifications": to_json(given), "enterprise": enterprise})
    earlier = execute(connection, _FIND_EARLIER, {"ids": _array(ids)}) if _may_repeat(given) else []
    return list(_outcomes(ids, earlier))


async def enqueue_async(connection: Any, notification: Notification, *, enterprise: str) -> Enqueued:  # noqa: ANN401 - of two libraries
    """Do the same as `enqueue` with an async connection of psycopg, or an async connection or session of SQLAlchemy.

    Raises:
        ClientError: as `enqueue`.
    """
    return (await enqueue_all_async(connection, [notification], enterprise=enterprise))[0]


async def enqueue_all_async(
    connection: Any,  # noqa: ANN401 - of two libraries
    notifications: Iterable[Notification],
    *,
    enterprise: str,
) -> list[Enqueued]:
    """Do the same as `enqueue_all` with an async connection.

    Raises:
        ClientError: as `enqueue`.
    """
    given = list(notifications)
    if (recorder := recording.recorder()) is not None:
        return recorder.take(given, enterprise)
    ids = await execute_async(
        connection, _ENQUEUE, {"notifications": to_json(given), "enterprise": enterprise}
    )
    earlier = (
        await execute_async(connection, _FIND_EARLIER, {"ids": _array(ids)}) if _may_repeat(given) else []
    )
    return list(_outcomes(ids, earlier))


def _may_repeat(notifications: Iterable[Notification]) -> bool:
    return any(each.dedup_key is not None for each in notifications)


def _outcomes(ids: Iterable[int], earlier: Iterable[int]) -> Iterator[Enqueued]:
    """Yield what became of each; a key that the call has twice is new only once."""
    known = set(earlier)
    for each in ids:
        yield Enqueued(each, each not in known)
        known.add(each)


def _array(ids: Sequence[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"
