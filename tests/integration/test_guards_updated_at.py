"""The guard of updates, where a statement sets `updated_at` itself."""

from itertools import product
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db, a_notification, row
from xnovu_poller.lifecycle import LAWFUL_MOVES, Status


def test_a_statement_that_sets_the_time_itself_is_guarded_too(db: Db) -> None:
    """The function does not run for the worker's own arrows; for any other move, or another attempt, it does."""
    made = {pair: a_notification(db, status=pair[0]) for pair in product(Status, repeat=2)}
    passed = set()
    for (start, end), notification_id in made.items():
        for step in (0, 1):
            try:
                db.execute(
                    "UPDATE notify.ent_notification SET notification_status = %s, attempt = attempt + %s,"
                    " lease_expires_at = CASE %s WHEN 'PROCESSING' THEN now() END, temporal_workflow_id = 'w',"
                    " next_attempt_at = CASE %s WHEN 'FAILED' THEN now() END,"
                    " retracted_at = CASE %s WHEN 'RETRACTED' THEN now() END, updated_at = clock_timestamp()"
                    " WHERE id = %s AND notification_status = %s",
                    [end, step, end, end, end, notification_id, start],
                )
            except CheckViolation:
                continue
            passed.add((start, end, step))
            break

    claims = {(start, end, 1) for start, end in LAWFUL_MOVES if end is Status.PROCESSING}
    kept = {(state, state, 0) for state in Status}
    others = {(start, end, 0) for start, end in LAWFUL_MOVES if end is not Status.PROCESSING}
    assert passed == kept | others | claims - {(Status.PROCESSING, Status.PROCESSING, 1)}


@pytest.mark.parametrize("time", ["'2020-01-01'", "clock_timestamp() + interval '1 h'", "NULL", "updated_at"])
def test_the_time_of_an_update_is_that_of_the_statement(db: Db, time: str) -> None:
    """No statement may write another, not even the worker's."""
    made = a_notification(db, status=Status.PROCESSING)
    before = row(db, made)

    db.execute(f"UPDATE notify.ent_notification SET updated_at = {time}".encode())  # noqa: S608 - this test's own expressions

    assert before["updated_at"] < row(db, made)["updated_at"] <= moment(db)


def moment(db: Db) -> Any:  # noqa: ANN401 - a time of PostgreSQL's
    """Return the time of the database's clock."""
    return db.execute("SELECT clock_timestamp() AS now").fetchone()["now"]  # type: ignore[index] # always a row
