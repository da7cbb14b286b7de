"""PostgreSQL's counts of writes show that a table has changed."""

import json

from tests.support.rows import Db
from tests.support.waiting import eventually
from xnovu_poller.store.changes import read_changes
from xnovu_poller.store.engine import Engine


async def test_a_write_changes_the_mark_of_its_table_only(engine: Engine, db: Db) -> None:
    """An insert, an update and a deletion; soon, because a session does not count at each write."""
    tables = ("ent_enterprise", "pause", "no_such_table")

    async def read() -> dict[str, str]:
        found: dict[str, str] = json.loads(await read_changes(engine, tables))
        return found

    for number, write in enumerate(
        (
            "INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES ('acme', 'A')",
            "UPDATE notify.ent_enterprise SET name = 'B'",
            "DELETE FROM notify.ent_enterprise",
        ),
        start=1,
    ):
        db.execute(write.encode())

        async def is_counted(number: int = number) -> bool:
            return await read() == {"ent_enterprise": str(number), "pause": "0"}

        await eventually(is_counted)
