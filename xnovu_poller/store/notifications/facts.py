"""Read the facts of notifications for lines of the log, where their ids are all that is known."""

from collections.abc import Collection

from sqlalchemy import text

from xnovu_poller.errors import StoreError
from xnovu_poller.facts import describe
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store.engine import Engine, query, to_array

_FACTS = text("""
    SELECT n.id, n.attempt, n.enterprise_id, w.workflow_key, n.temporal_workflow_id, n.transaction_id
    FROM unnest(CAST(:ids AS bigint[])) AS requested (id)
    JOIN notify.ent_notification n ON n.id = requested.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id""")


async def read_facts(engine: Engine, ids: Collection[int]) -> dict[int, dict[str, object]]:
    """Return the fields of a log line about each notification; only its id if PostgreSQL does not answer, or it is gone."""
    facts: dict[int, dict[str, object]] = {id_: {"notification": id_} for id_ in ids}
    try:
        rows = await query(engine, _FACTS, {"ids": to_array(ids)}) if ids else []
    except StoreError:
        rows = []
    for row in rows:
        attempt = Attempt(row.id, row.attempt)
        facts[row.id] = describe(
            attempt, row.enterprise_id, row.workflow_key, row.temporal_workflow_id, row.transaction_id
        )
    return facts
