import psycopg
import pytest

from benchmarks.speed import rows

SHAPE = "SELECT count(*), min(length(payload::text)), max(length(payload::text)) FROM notify.ent_notification"


def test_a_backlog_is_due_and_has_the_requested_size(database: str) -> None:
    """A payload has six hundred bytes of JSON, more or less by the digits of a number."""
    rows.prepare(database)
    rows.fill(database, 200)

    with psycopg.connect(database) as connection:
        count, least, most = connection.execute(SHAPE).fetchone() or (0, 0, 0)
    assert count == 200
    assert (least, most) == pytest.approx((rows.PAYLOAD_BYTES, rows.PAYLOAD_BYTES), abs=5)
    assert set(rows.states(database).values()) == {"PENDING"}


async def test_a_single_row_is_identified_by_its_transaction_id(database: str) -> None:
    """The sink counts by this id."""
    rows.prepare(database)
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        transaction_id = await rows.insert_one(connection, 1)

    assert rows.states(database) == {transaction_id: "PENDING"}
