"""The incidents that the trigger appends for every writer."""

from datetime import timedelta

from tests.support.held import verdict
from tests.support.incidents import a_held, finish, hold_one, incidents_of
from tests.support.rows import Db, a_notification, attempt_of, back_dated, open_db, written
from xnovu_poller.incidents import IncidentKind, name_process
from xnovu_poller.lifecycle import ErrorDetails
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.by_operator import revive
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.life import read_life
from xnovu_poller.store.notifications.verdict import Ending

ERROR = ErrorDetails("novu_rejected", "Novu: rejects it")
AWAY = ErrorDetails("novu_unavailable", "Novu: cannot serve")
LEASE = timedelta(seconds=30)
TERMS = Terms(prefix="dep", batch=100, group_size=1, max_in_flight=100, lease=LEASE)


async def test_the_straight_way_leaves_no_line(engine: Engine, db: Db) -> None:
    """Neither do a producer's own writes, nor a longer lease."""
    right = await a_held(engine, db)
    await by_claim.extend_lease(engine, [right.attempt], LEASE)
    await finish(engine, right)
    waiting = a_notification(db)
    written(db, waiting, deactivated=True, scheduled_for="2030-01-01")

    assert [incidents_of(db, id_) for id_ in (right.notification_id, waiting)] == [[], []]


async def test_each_arrow_that_leaves_it_appends_a_line(engine: Engine, db: Db) -> None:
    """With the attempt, and the code where the arrow has an error of its own."""
    right = await a_held(engine, db)
    id_ = right.notification_id
    await by_hold.clear_hold(engine, [verdict(right, Ending.UNFINISHED, AWAY, refused=True)])
    right = await hold_one(engine, right.attempt)
    await by_hold.record_unknown(engine, [verdict(right, Ending.UNKNOWN, ERROR)])
    right = await hold_one(engine, right.attempt)
    back_dated(db, id_, timedelta(hours=1), "send_until", "lease_expires_at")
    [claim] = await by_claim.reclaim(engine, [right.attempt], TERMS)
    right = await hold_one(engine, claim.attempt)
    await by_hold.record_failed(engine, [verdict(right, Ending.FAILED, ERROR, wait=LEASE)], max_failures=8)
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 3, lease_expires_at = now()"
    )
    await by_claim.release(engine, [attempt_of(db, id_)])
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 4,"
        " lease_expires_at = now() + interval '1 min'"
    )
    right = await hold_one(engine, attempt_of(db, id_))
    await by_hold.release_held(engine, [verdict(right, Ending.RELEASED, AWAY)])
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 5,"
        " lease_expires_at = now() + interval '1 min'"
    )
    right = await hold_one(engine, attempt_of(db, id_))
    await by_hold.record_dead(engine, [verdict(right, Ending.DEAD, ERROR)])
    await revive(engine, [id_], force=True)

    assert incidents_of(db, id_) == [
        ("refused", "novu_unavailable", 1),
        ("unknown", "novu_rejected", 1),
        ("reclaimed", None, 2),
        ("lapsed", None, 2),
        ("failed", "novu_rejected", 2),
        ("rescued", None, 3),
        ("released", "novu_unavailable", 4),
        ("dead", "novu_rejected", 5),
        ("revived", None, 5),
    ]
    life = await read_life(engine, id_)
    assert life is not None
    assert {incident.worker for incident in life.incidents} == {name_process()}
    assert {incident.login for incident in life.incidents} == {"postgres"}


async def test_each_retraction_appends_a_line(engine: Engine, db: Db, database: str) -> None:
    """Of a producer too, which has no right on the table: at once, or the request and its outcome."""
    at_once, expiring, sent = (
        a_notification(db),
        a_notification(db, expires_at="2020-01-01"),
        await a_held(engine, db),
    )
    with open_db(database) as producer:
        producer.execute("SET ROLE xnovu_producer")
        producer.execute("SET app.current_enterprise_id = 'acme'")
        producer.execute("SET xnovu.process = 'forged'")
        producer.execute("SELECT notify.retract(%s, 'expired')", [at_once])
        producer.execute("SELECT notify.retract(%s)", [sent.notification_id])
    await by_claim.expire(engine)
    await finish(engine, sent)
    await by_claim.record_cancel_answer(engine, {sent.notification_id: "cancelled"})
    withdrawn = await a_held(engine, db)
    await by_hold.record_retracted(engine, [verdict(withdrawn, Ending.RETRACTED, unknown=True)])

    assert incidents_of(db, at_once) == [("retracted", None, 0)]
    assert incidents_of(db, expiring) == [("expired", None, 0)]
    assert incidents_of(db, sent.notification_id) == [
        ("retraction_requested", None, 1),
        ("cancelled", "cancelled", 1),
    ]
    assert incidents_of(db, withdrawn.notification_id) == [("retracted", "unknown", 1)]
    life = await read_life(engine, at_once)
    assert life is not None
    assert [incident.worker for incident in life.incidents] == [None]


async def test_many_like_incidents_share_a_line(engine: Engine, db: Db) -> None:
    """Otherwise an outage of days would fill the table."""
    id_ = a_notification(db)
    for number in range(1, 61):
        db.execute(
            "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = attempt + 1,"
            " lease_expires_at = now() + interval '1 min', temporal_workflow_id = 'w'"
        )
        error = AWAY if number % 2 else ERROR
        db.execute(
            "UPDATE notify.ent_notification SET notification_status = 'FAILED', lease_expires_at = NULL,"
            " next_attempt_at = now() + %s, error_details = jsonb_build_object('code', %s::text)",
            [timedelta(seconds=number), error.code],
        )

    life = await read_life(engine, id_)
    assert life is not None
    assert [incident.times for incident in life.incidents] == [*[1] * 38, 11, 11]
    assert [incident.attempt for incident in life.incidents[-2:]] == [59, 60]
    assert {incident.kind for incident in life.incidents} == {IncidentKind.FAILED}
