"""The notifications that were withdrawn after they were sent."""

from tests.support.rows import Db, a_notification
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.withdrawn import read_withdrawn


def insert_withdrawn(db: Db, enterprise: str = "acme") -> int:
    """Insert a notification that was sent and then withdrawn."""
    made = a_notification(db, status=Status.SENT, enterprise=enterprise)
    db.execute("SELECT notify.retract(%s)", [made])
    return made


async def test_each_enterprise_has_its_turn(engine: Engine, db: Db) -> None:
    """Another enterprise's earlier withdrawals do not delay it."""
    acme = [insert_withdrawn(db) for _ in range(20)]
    waiting = insert_withdrawn(db, "globex")

    found = [withdrawn.notification_id for withdrawn in await read_withdrawn(engine, 3, acme[:1])]

    assert found == [acme[1], waiting, acme[2]]
