"""The brake of an enterprise: a flood is held until a person releases it, and nobody else notices."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.support.claiming import WIDE
from tests.support.logins import a_login, bind, without_login
from tests.support.rows import Db, a_workflow, notifications, open_db, unguarded
from xnovu_poller.store import pauses, pausing
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.claim import Terms, claim
from xnovu_poller.store.notifications.due import NEW, SCHEDULED
from xnovu_poller.store.pauses import Paused

TERMS = Terms(prefix="abc", batch=50, group_size=1, max_in_flight=10_000, lease=timedelta(seconds=30))
ACME = Paused("acme")


def a_brake(db: Db, burst: int = 60) -> None:
    """Give acme a brake."""
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, burst) VALUES ('acme', %s)", [burst])


async def claim_once(engine: Engine) -> tuple[Counter[str], tuple[str, ...]]:
    """Claim once; return how many rows of each enterprise, and who was braked."""
    claims, cursor = await claim(engine, NEW, TERMS, WIDE)
    return Counter(claimed.enterprise_id for claimed in claims), cursor.braked


async def test_a_flood_is_held_until_a_person_releases_it(engine: Engine, db: Db) -> None:
    """At most a claim beyond its burst goes out; a release is for the rows that are there, and the next flood is held again."""
    a_brake(db)
    notifications(db, 300)
    assert await claim_once(engine) == ({"acme": 50}, ())
    assert await claim_once(engine) == ({"acme": 50}, ("acme",))

    notifications(db, 20, enterprise="globex")
    assert await claim_once(engine) == ({"globex": 20}, ())
    [held] = await pauses.read_all(engine)
    assert (held.paused, held.paused_by, held.ends_at) == (ACME, "brake", None)
    assert "60" in held.reason

    assert await pausing.resume(engine, ACME, actor="ann") == held
    for _ in range(4):
        assert await claim_once(engine) == ({"acme": 50}, ())
    notifications(db, 300)
    assert [(await claim_once(engine))[1] for _ in range(3)] == [(), ("acme",), ()]
    assert len(await pauses.read_all(engine)) == 1


async def test_only_the_first_claim_of_a_row_counts(engine: Engine, db: Db) -> None:
    """Not its next attempts; and not rows of other minutes, as the backlog of an outage."""
    a_brake(db)
    made = notifications(db, 50)
    for _ in range(3):
        claims, cursor = await claim(engine, NEW, TERMS, WIDE)
        assert (len(claims), cursor.braked) == (50, ())
        await by_claim.release(engine, [claimed.attempt for claimed in claims])
    db.execute("UPDATE notify.ent_notification SET notification_status = 'RETRACTED', retracted_at = now()")
    assert db.execute("SELECT number FROM notify.brake_count").fetchall() == [{"number": len(made)}]

    older = notifications(db, 200)
    with unguarded(db):
        db.execute(
            "UPDATE notify.ent_notification SET created_at = created_at - (id %% 20 + 2) * interval '1 minute'"
            " WHERE id = ANY (%s)",
            [older],
        )
    assert [await claim_once(engine) for _ in range(4)] == [({"acme": 50}, ())] * 4
    db.execute("UPDATE notify.brake_count SET inserted_at = inserted_at - interval '2 days'")
    await pauses.forget(engine)
    assert db.execute("SELECT FROM notify.brake_count").rowcount == 0


async def test_without_a_burst_nothing_is_counted(engine: Engine, db: Db) -> None:
    """Not even for an enterprise with another limit."""
    notifications(db, 40)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, in_flight) VALUES ('acme', 1000)")

    assert await claim_once(engine) == ({"acme": 40}, ())
    assert db.execute("SELECT FROM notify.brake_count").rowcount == 0


@pytest.fixture
def tenant_login(db: Db, database: str) -> Iterator[Db]:
    """Yield a connection of a login that acme holds itself."""
    url = a_login(database, "xnovu_tenant")
    bind(database, url, "acme")
    with open_db(url) as login:
        yield login
    without_login(database, url)


async def test_a_tenant_can_neither_see_nor_release_nor_evade_its_brake(
    engine: Engine, db: Db, tenant_login: Db
) -> None:
    """However it inserts: in one transaction, at other priorities, or at once scheduled for the past."""
    a_workflow(db)
    a_brake(db, 10)
    with tenant_login.transaction():
        for options in ("", ", priority => 9", ", scheduled_for => '2020-01-01'"):
            call = f"notify.enqueue('acme', 'order-shipped', '{{s}}'{options})"
            tenant_login.execute(f"SELECT {call} FROM generate_series(1, 8)".encode())  # noqa: S608 - the options above
    assert await claim_once(engine) == ({"acme": 10}, ())
    assert await claim_once(engine) == ({"acme": 6}, ("acme",))

    for statement in (
        "SELECT * FROM notify.pause",
        "SELECT * FROM notify.brake_count",
        "SELECT * FROM notify.ent_enterprise_limit",
        "DELETE FROM notify.pause",
        "DELETE FROM notify.brake_count",
        "UPDATE notify.pause SET ends_at = now()",
        "UPDATE notify.ent_enterprise_limit SET released_to = 1000000",
        "INSERT INTO notify.pause (enterprise_id, reason) VALUES ('globex', 'mine')",
    ):
        with pytest.raises(InsufficientPrivilege):
            tenant_login.execute(statement.encode())
    assert (await claim(engine, SCHEDULED, TERMS, WIDE))[0] == []
    assert [pause.paused for pause in await pauses.read_all(engine)] == [ACME]
