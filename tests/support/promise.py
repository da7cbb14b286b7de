"""The promise at the end of every fault: none lost, none delivered twice, no lease left."""

from collections import Counter
from typing import Any

import psycopg

from tests.support.novu import NovuStandIn
from tests.support.rows import Db
from tests.support.waiting import WITHIN, wait_until

_UNSETTLED = """
SELECT id, notification_status::text AS status, attempt, lapses, failure_count, error_details
FROM notify.ent_notification
WHERE notification_status IN ('PENDING', 'PROCESSING', 'FAILED') AND publish_status = 'PUBLISH' AND NOT deactivated
    AND coalesce(scheduled_for, now()) <= now()"""

_HELD = """
SELECT id, notification_status::text AS status FROM notify.ent_notification
WHERE num_nonnulls(lease_expires_at, send_until) > 0"""

_ROWS = "SELECT id, notification_status::text AS status, transaction_id, recipients, error_details FROM notify.ent_notification"


def unsettled(db: Db) -> list[dict[str, Any]]:
    """Return the due rows that have not reached a final state; if PostgreSQL is down, that is not empty."""
    try:
        return db.execute(_UNSETTLED).fetchall()
    except psycopg.OperationalError:
        return [{"status": "PostgreSQL is away"}]


def until_settled(db: Db, *, within: float = WITHIN) -> None:
    """Wait until every due row is SENT, DEAD or RETRACTED."""
    wait_until(lambda: not unsettled(db), within=within)


def assert_kept(db: Db, standin: NovuStandIn) -> None:
    """Compare table and ledger: the three assertions at the end of every fault.

    None lost: no due row is left, each recipient of a SENT row was delivered to, and a DEAD row has its
    error. None delivered twice. No lease or live send is left.
    """
    assert unsettled(db) == []
    rows = db.execute(_ROWS).fetchall()
    delivered = standin.deliveries()
    wanted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["status"] == "SENT":
            wanted.update(_parts(row))
        elif row["status"] == "DEAD":
            assert row["error_details"], f"{row['id']} has no error but is dead"
    lost = {key for key in wanted if delivered[key] == 0}
    twice = {key: times for key, times in delivered.items() if times > 1}
    assert not lost
    assert not twice
    assert db.execute(_HELD).fetchall() == []


def _parts(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the deliveries of a SENT row; if it has chunks, their ids contain the number of the chunk."""
    recipients = list(dict.fromkeys(row["recipients"]))
    if len(recipients) <= 100:
        return [(row["transaction_id"], recipient) for recipient in recipients]
    return [
        (f"{row['transaction_id']}-{1 + place // 100}", recipient)
        for place, recipient in enumerate(recipients)
    ]
