"""Whether tables have changed, without reading them: PostgreSQL counts the writes to each."""

import json
from collections.abc import Collection

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire

# A standby counts no writes, but knows how far it has followed.
_CHANGES = text("""
    SELECT c.relname AS name, CASE WHEN pg_is_in_recovery() THEN CAST(pg_last_wal_replay_lsn() AS text)
        ELSE CAST(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
            + pg_stat_get_tuples_deleted(c.oid) AS text) END AS mark
    FROM pg_class c WHERE c.relnamespace = CAST('notify' AS regnamespace) AND c.relname = ANY (CAST(:tables AS text[]))
    ORDER BY c.relname""")


async def read_changes(engine: Engine, tables: Collection[str]) -> str:
    """Return a mark of each table as JSON; it differs after a write. A session counts its writes at most ten seconds late.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_CHANGES, {"tables": list(tables)})
        return json.dumps({row.name: row.mark for row in rows})
