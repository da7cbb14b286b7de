"""How the chores went, in the database."""

from datetime import timedelta

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db
from xnovu_poller.store import chores
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine


async def test_each_chore_is_told_as_it_went_the_last_time(engine: Engine, db: Db) -> None:
    """By name; the time is the database's."""
    before = db.execute("SELECT clock_timestamp() AS at").fetchone()
    assert before is not None
    await chores.record(engine, "rules", timedelta(seconds=1), {"created": 3})
    await chores.record(engine, "doctor", timedelta(microseconds=900), {})
    await chores.record(engine, "rules", timedelta(seconds=2.5), {"created": 0, "names": [None, "é"]})

    doctor, rules = await chores.read_all(engine)

    assert doctor == Chore("doctor", doctor.finished_at, timedelta(milliseconds=1), {}, None)
    names = {"created": 0, "names": [None, "é"]}
    assert rules == Chore("rules", rules.finished_at, timedelta(seconds=2.5), names, None)
    assert before["at"] < doctor.finished_at < rules.finished_at


async def test_a_chore_that_failed_keeps_where_it_was(engine: Engine) -> None:
    """Its error stands beside the last report until it succeeds again."""
    await chores.record(engine, "retention", timedelta(0), None, "database: does not answer")
    assert [(one.report, one.error) for one in await chores.read_all(engine)] == [
        ({}, "database: does not answer")
    ]

    await chores.record(engine, "retention", timedelta(0), {"after": 7})
    await chores.record(engine, "retention", timedelta(0), None, "database: does not answer")
    assert [(one.report, one.error) for one in await chores.read_all(engine)] == [
        ({"after": 7}, "database: does not answer")
    ]
    await chores.record(engine, "retention", timedelta(0), {"after": None})
    assert [(one.report, one.error) for one in await chores.read_all(engine)] == [({"after": None}, None)]


async def test_a_chore_is_fresh_by_when_it_was_begun(engine: Engine) -> None:
    """One that takes all its interval is done again behind it; one that failed is never fresh."""
    minute = timedelta(minutes=1)
    assert not await chores.is_fresh(engine, "doctor", minute)
    await chores.record(engine, "doctor", timedelta(0), {})
    assert await chores.is_fresh(engine, "doctor", minute)
    assert not await chores.is_fresh(engine, "doctor", timedelta(0))
    assert not await chores.is_fresh(engine, "statistics", minute)

    await chores.record(engine, "doctor", minute, {})
    assert not await chores.is_fresh(engine, "doctor", minute)
    await chores.record(engine, "doctor", timedelta(0), None, "database: does not answer")
    assert not await chores.is_fresh(engine, "doctor", minute)


async def test_before_the_first_there_are_none(engine: Engine) -> None:
    """An empty list."""
    assert await chores.read_all(engine) == []


@pytest.mark.parametrize(
    ("took_ms", "report", "rule"), [(-1, "{}", "took"), (1, "[]", "report"), (1, "null", "report")]
)
def test_nonsense_is_refused(db: Db, took_ms: int, report: str, rule: str) -> None:
    """By the database itself."""
    with pytest.raises(CheckViolation, match=f"chore_{rule}_check"):
        db.execute(
            "INSERT INTO notify.chore (name, finished_at, took_ms, report) VALUES ('a', now(), %s, %s)",
            [took_ms, report],
        )
