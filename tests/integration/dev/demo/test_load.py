"""The sample data in a real database, written with the rights of a producer."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.support.rows import Db
from xnovu_poller.dev.demo.load import insert, load_suite
from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.sample.notifications import Label, SampleNotification, notifications
from xnovu_poller.dev.sample.suite import templates, workflows

Connection = psycopg.Connection[TupleRow]


@pytest.fixture
def producer(database: str) -> Iterator[Connection]:
    """Connect as a member of xnovu_producer, with the suite loaded."""
    with psycopg.connect(database, autocommit=True, options="-c role=xnovu_worker") as operator:
        load_suite(operator)
    with psycopg.connect(database, autocommit=True, options="-c role=xnovu_producer") as connection:
        yield connection


def sample(label: Label) -> SampleNotification:
    """Return the first sample notification of a kind."""
    return next(each for each in notifications() if each.label is label)


def column(db: Db, notification_id: int | None, name: str) -> object:
    """Return a column of a row."""
    found = db.execute("SELECT * FROM notify.ent_notification WHERE id = %s", [notification_id]).fetchone()
    assert found is not None
    return found[name]


def test_the_suite_is_loaded_completely(db: Db, producer: Connection) -> None:
    """Each workflow and each template has its row."""
    found = db.execute(
        "SELECT (SELECT count(*) FROM notify.ent_notification_workflow) AS workflows,"
        " (SELECT count(*) FROM notify.ent_notification_template) AS templates"
    ).fetchone()
    assert found == {"workflows": len(workflows()), "templates": len(templates())}


def test_a_second_dedup_key_is_refused(db: Db, producer: Connection, silent: StandIn) -> None:
    """Only the first row is inserted."""
    assert insert(producer, sample(Label.DEDUP_KEPT), silent) is not None
    assert insert(producer, sample(Label.DEDUP_REFUSED), silent) is None
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


def test_a_draft_is_a_draft_from_its_insert_on(db: Db, producer: Connection, silent: StandIn) -> None:
    """A plain INSERT writes it, as any program may."""
    made = insert(producer, sample(Label.DRAFT), silent)
    assert column(db, made, "publish_status") == "DRAFT"
    assert column(db, made, "notification_workflow_id") is not None


def test_a_retracted_sample_is_retracted_by_its_tenant(db: Db, producer: Connection, silent: StandIn) -> None:
    """`notify.retract` lets the producer withdraw its own row."""
    made = insert(producer, sample(Label.RETRACTED), silent)
    assert column(db, made, "notification_status") == "RETRACTED"


def test_an_enterprise_of_another_language_uses_its_own_workflow(
    db: Db, producer: Connection, silent: StandIn
) -> None:
    """Its own row of a key replaces the global row."""
    made = insert(producer, sample(Label.EXPIRED), silent)
    owner = db.execute(
        "SELECT enterprise_id FROM notify.ent_notification_workflow WHERE id = %s",
        [column(db, made, "notification_workflow_id")],
    ).fetchone()
    assert owner == {"enterprise_id": sample(Label.EXPIRED).enterprise_id}
    assert column(db, made, "recipients") == list(sample(Label.EXPIRED).recipients)


@pytest.fixture
def silent() -> Iterator[StandIn]:
    """A client of an absent stand-in, because these inserts send nothing to it."""
    with StandIn("http://127.0.0.1:9", "unused") as standin:
        yield standin
