"""The life of a notification, as it is read."""

from tests.support.rows import Db, a_notification
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.life import read_life, was_used
from xnovu_poller.story.timeline import list_life
from xnovu_poller.story.way import list_moves


async def test_a_life_has_what_its_next_step_depends_on(engine: Engine, db: Db) -> None:
    """And no recipient; a time that Python cannot represent is cut."""
    db.execute(
        "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate, in_flight) VALUES ('acme', 2, 3)"
    )
    a_notification(db, status=Status.PROCESSING)
    id_ = a_notification(db, scheduled_for="infinity", recipients=["a", "b"])
    db.execute(
        "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, 'acme', '{s}', 'xn-1', 2, 'refused', '{\"code\": \"c\"}')",
        [id_],
    )

    life = await read_life(engine, id_)

    assert life is not None
    assert (life.rate, life.most_in_flight, life.in_flight, life.workers, life.recipients) == (2, 3, 1, 0, 2)
    assert life.scheduled_for is not None
    assert life.scheduled_for.year == 9000
    assert [(chunk.outcome, chunk.refusals, chunk.code, chunk.recipients) for chunk in life.chunks] == [
        ("refused", 2, "c", 1)
    ]
    assert life.expires_at is None
    assert await read_life(engine, id_ + 1) is None
    assert [await was_used(engine, used) for used in (id_, id_ + 1)] == [True, False]


async def test_an_incident_of_a_newer_version_is_read_as_text(engine: Engine, db: Db) -> None:
    """A worker of the version before may serve a schema that is ahead; the story shows the word as it is."""
    id_ = a_notification(db, status=Status.PROCESSING)
    db.execute("ALTER TABLE notify.ent_notification_event DROP CONSTRAINT ent_notification_event_arrow_check")
    db.execute(
        """INSERT INTO notify.ent_notification_event
            (notification_id, number, enterprise_id, arrow, happened_at, attempt, login, last_at)
        VALUES (%s, 1, 'acme', 'deferred', now(), 1, 'ann', now())""",
        [id_],
    )

    life = await read_life(engine, id_)

    assert life is not None
    lines = [line.text for line in list_life(life, None)]
    assert "deferred, attempt 1, by the login ann" in lines
    assert list_moves(life)[-1].end is Status.PROCESSING
