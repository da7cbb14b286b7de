"""Which rows are checked next, and that no result is written to a row that has changed meanwhile."""

import psycopg

from tests.support.rows import Db, a_template
from xnovu_poller.lifecycle import CheckedStatus, RowKind
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.row_checks import (
    ROWS_OF_A_TURN,
    RowCheck,
    count_errors,
    find_next,
    find_unsettled,
    read_templates_to_check,
    record,
)

SET_BODY = "UPDATE notify.ent_notification_template SET body_template = 'other' WHERE id = %s"
READ = "SELECT checked_status, checked_error FROM notify.ent_notification_template WHERE id = %s"


def many(db: Db, count: int) -> None:
    """Insert templates of one enterprise."""
    db.execute(
        "INSERT INTO notify.ent_notification_template (enterprise_id, name, template_key, channel_type, body_template,"
        " publish_status) SELECT 'acme', 'n', 'key-' || n, 'SMS', 'text', 'PUBLISH' FROM generate_series(1, %s) AS n",
        [count],
    )


async def unsettled(engine: Engine, *without: int, unchecked: bool = True) -> list[int]:
    """Return the templates of a turn."""
    return await find_unsettled(engine, RowKind.TEMPLATE, unchecked=unchecked, without=without, turn=1)


async def test_enterprises_are_served_in_turn(engine: Engine, db: Db) -> None:
    """An enterprise that writes many templates delays no other; global rows have their turn too."""
    many(db, 500)
    others = [a_template(db, key="hello", enterprise=name) for name in (None, "globex", "zeta")]

    found = await unsettled(engine)

    assert set(others) <= set(found[:4])
    assert len(found) == ROWS_OF_A_TURN // 5 + len(others)
    assert set(await unsettled(engine, *found)).isdisjoint(found)
    # The others follow by id, once they were checked.
    assert await find_next(engine, RowKind.TEMPLATE, 0) == []
    db.execute("UPDATE notify.ent_notification_template SET checked_status = 'OK'")
    assert len(await find_next(engine, RowKind.TEMPLATE, 0)) == ROWS_OF_A_TURN
    assert await find_next(engine, RowKind.TEMPLATE, others[1]) == [others[2]]


async def test_a_result_is_written_to_the_version_that_was_checked(
    engine: Engine, db: Db, database: str
) -> None:
    """A row that somebody holds waits for a later run, and nobody waits for it."""
    ids = [a_template(db, key=key) for key in ("free", "changed", "held")]
    read = await read_templates_to_check(engine, [*ids, 10**9])
    results = [RowCheck(row.id, row.at, CheckedStatus.ERROR, "line 1") for row in read]
    db.execute(SET_BODY, [ids[1]])

    with psycopg.connect(database) as other:
        other.execute(SET_BODY, [ids[2]])
        await record(engine, RowKind.TEMPLATE, results)
        other.rollback()

    found = [db.execute(READ, [id_]).fetchone() for id_ in ids]
    assert [row and tuple(row.values()) for row in found] == [("ERROR", "line 1"), (None, None), (None, None)]
    assert sorted(await unsettled(engine)) == ids[1:]
    assert sorted(await unsettled(engine, unchecked=False)) == ids
    assert await count_errors(engine) == {RowKind.TEMPLATE: 1, RowKind.WORKFLOW: 0}
