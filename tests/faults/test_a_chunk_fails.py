"""The second chunk of a notification to 250 people fails: the others get theirs, and get it once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.forked import xnovu
from tests.support.modes import Mode, only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

PEOPLE = [f"s{number:03}" for number in range(250)]
IN_SECOND_CHUNK = {"recipient": "s150"}
UNANSWERED = {"code": "novu_unanswered", "message": "Novu: outcome unknown (ReadError)"}
REFUSAL = {"code": "novu_rejected", "message": "Novu: rejects it with 422 (unspecified)"}


def insert_large(db: Db, key: str, neighbours: int = 0) -> int:
    """Insert a notification of three chunks, and small notifications that are claimed with it."""
    workflow = a_workflow(db, key=key)
    with db.transaction():
        made = a_notification(db, workflow=workflow, recipients=PEOPLE)
        for _ in range(neighbours):
            a_notification(db, workflow=workflow)
    return made


def chunks(db: Db, notification_id: int) -> list[dict[str, Any]]:
    """Return the answers recorded for the chunks."""
    return db.execute(
        "SELECT outcome, refusals, error_details FROM notify.ent_notification_delivery"
        " WHERE notification_id = %s AND answered_at IS NOT NULL ORDER BY chunk",
        [notification_id],
    ).fetchall()


def states(db: Db, standin: NovuStandIn, notification_id: int) -> list[list[str]]:
    """Return the states of each chunk's accepted triggers."""
    transaction = row(db, notification_id)["transaction_id"]
    return [
        [trigger["state"] for trigger in standin.ledger(transaction_id=f"{transaction}-{chunk}")["triggers"]]
        for chunk in (1, 2, 3)
    ]


def test_only_what_is_not_yet_accepted_is_sent_again(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A chunk that Novu has accepted is never sent again: not after a 503, an unknown outcome, or a new attempt."""
    novu_standin.fault("status", status=503, match={"workflow": "unavailable", **IN_SECOND_CHUNK})
    novu_standin.fault("accept_then_reset", match={"workflow": "unknown", **IN_SECOND_CHUNK}, times=3)
    with running_worker(tmp_path, **worker_environment):
        unavailable = insert_large(db, "unavailable", mode.rows - 1)
        until_settled(db)
        unknown = insert_large(db, "unknown", mode.rows - 1)
        wait_until(lambda: row(db, unknown)["notification_status"] == "FAILED")
        accepted = {"outcome": "accepted", "refusals": 0, "error_details": None}
        assert chunks(db, unknown) == [
            accepted,
            {"outcome": "unknown", "refusals": 0, "error_details": UNANSWERED},
        ]
        # Otherwise the backoff would last at least five seconds.
        written(db, unknown, next_attempt_at="2020-01-01T00:00Z")
        until_settled(db)

    assert chunks(db, unavailable) == [accepted, accepted | {"refusals": 1}, accepted]
    assert chunks(db, unknown) == [accepted] * 3
    assert states(db, novu_standin, unavailable) == [["delivered"]] * 3
    assert states(db, novu_standin, unknown) == [
        ["delivered"],
        ["delivered", *["dropped"] * 3],
        ["delivered"],
    ]
    assert novu_standin.stats()["calls"] == 4 + 6 + 2 * mode.grouped
    assert [
        row(db, notification_id)["notification_status"] for notification_id in (unavailable, unknown)
    ] == ["SENT", "SENT"]
    assert [row(db, notification_id)["failure_count"] for notification_id in (unavailable, unknown)] == [0, 1]
    assert_kept(db, novu_standin)


@only("single", because="a refused chunk is recorded like any other refusal")
def test_only_a_refused_chunk_is_listed_and_sent_after_a_revival(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The row is DEAD and names this chunk. After somebody fixes the cause and revives it, only this chunk is sent."""
    novu_standin.fault("status", status=422, match=IN_SECOND_CHUNK, times=None)
    made = insert_large(db, "refused")
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)
        accepted = {"outcome": "accepted", "refusals": 0, "error_details": None}
        refused = {"outcome": "refused", "refusals": 1, "error_details": REFUSAL}
        assert chunks(db, made) == [accepted, refused, accepted]
        kept = row(db, made)
        assert (kept["notification_status"], kept["attempt"]) == ("DEAD", 1)
        assert kept["error_details"] == {
            "code": "novu_rejected",
            "message": "Novu: rejects the chunks 2",
            "chunks": [2],
        }
        assert sum(novu_standin.deliveries().values()) == 150
        assert_kept(db, novu_standin)

        novu_standin.clear_faults()
        completed = xnovu("notification", "revive", str(made), **worker_environment, NOVU_SECRET_KEY="key-1")
        assert completed.returncode == 0, completed.stderr
        until_settled(db)

    assert row(db, made)["notification_status"] == "SENT"
    assert states(db, novu_standin, made) == [["delivered"]] * 3
    assert novu_standin.stats()["calls"] == 3 + 1
    assert_kept(db, novu_standin)
