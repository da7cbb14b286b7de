"""The notifications that were withdrawn after they were sent."""

from tests.support.rows import Db, a_notification
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.withdrawn import read_withdrawn


def withdrawn(db: Db, enterprise: str = "acme") -> int:
    """Make a notification that was sent and then withdrawn."""
    made = a_notification(db, status=Status.SENT, enterprise=enterprise)
    db.execute("SELECT notify.retract(%s)", [made])
    return made


async def test_each_enterprise_has_its_turn(engine: Engine, db: Db) -> None:
    """However many another one has withdrawn before."""
    acme = [withdrawn(db) for _ in range(20)]
    waiting = withdrawn(db, "globex")

    found = [one.notification_id for one in await read_withdrawn(engine, 3, acme[:1])]

    assert found == [acme[1], waiting, acme[2]]
