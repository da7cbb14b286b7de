"""The results of the chores in the database."""

from datetime import timedelta

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db
from xnovu_poller.store import chores
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine


async def test_each_chore_keeps_its_last_result(engine: Engine, db: Db) -> None:
    """Chores are listed by name; the time is the database's."""
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


async def test_a_failed_chore_keeps_its_last_report(engine: Engine) -> None:
    """The error stands beside the last report until the chore succeeds again."""
    await chores.record(engine, "retention", timedelta(0), None, "database: does not answer")
    assert [(chore.report, chore.error) for chore in await chores.read_all(engine)] == [
        ({}, "database: does not answer")
    ]

    await chores.record(engine, "retention", timedelta(0), {"after": 7})
    await chores.record(engine, "retention", timedelta(0), None, "database: does not answer")
    assert [(chore.report, chore.error) for chore in await chores.read_all(engine)] == [
        ({"after": 7}, "database: does not answer")
    ]
    await chores.record(engine, "retention", timedelta(0), {"after": None})
    assert [(chore.report, chore.error) for chore in await chores.read_all(engine)] == [
        ({"after": None}, None)
    ]


async def test_a_chore_is_fresh_from_its_beginning(engine: Engine) -> None:
    """A chore that takes its whole interval runs again at once; a failed chore is never fresh."""
    minute = timedelta(minutes=1)
    assert not (await chores.read_last(engine, "doctor", minute)).is_fresh
    await chores.record(engine, "doctor", timedelta(0), {})
    assert (await chores.read_last(engine, "doctor", minute)).is_fresh
    assert not (await chores.read_last(engine, "doctor", timedelta(0))).is_fresh
    assert not (await chores.read_last(engine, "statistics", minute)).is_fresh

    await chores.record(engine, "doctor", minute, {})
    assert not (await chores.read_last(engine, "doctor", minute)).is_fresh
    await chores.record(engine, "doctor", timedelta(0), None, "database: does not answer")
    assert not (await chores.read_last(engine, "doctor", minute)).is_fresh


async def test_without_a_run_there_is_no_result(engine: Engine) -> None:
    """The list is empty."""
    assert await chores.read_all(engine) == []


@pytest.mark.parametrize(
    ("took_ms", "report", "rule"), [(-1, "{}", "took"), (1, "[]", "report"), (1, "null", "report")]
)
def test_impossible_results_are_refused(db: Db, took_ms: int, report: str, rule: str) -> None:
    """A constraint of the table refuses them."""
    with pytest.raises(CheckViolation, match=f"chore_{rule}_check"):
        db.execute(
            "INSERT INTO notify.chore (name, finished_at, took_ms, report) VALUES ('a', now(), %s, %s)",
            [took_ms, report],
        )
