"""PostgreSQL goes away under the API: a request is answered at once, and a repeated request inserts nothing twice."""

import asyncio
from collections.abc import Mapping

import httpx

from tests.support.api import served_api
from tests.support.disaster import crash
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow, open_db
from tests.support.waiting import eventually
from xnovu_poller.dev.postgres import Postgres

ONE = {"workflow_key": "order-shipped", "recipients": ["user-1"]}

# The last of the list keeps its statement busy when the others are written.
_SLOW = """
    CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON notify.ent_notification
        FOR EACH ROW WHEN (NEW.dedup_key = 'k99') EXECUTE FUNCTION public.wait()"""
_SLEEPS = "SELECT FROM pg_stat_activity WHERE application_name = 'xnovu:api' AND wait_event = 'PgSleep'"


def is_unavailable(answer: httpx.Response) -> bool:
    """Return whether a client may repeat its request soon."""
    assert answer.status_code == 503, answer.text
    return (answer.json()["code"], answer.headers["retry-after"]) == ("unavailable", "2")


async def test_a_list_is_all_or_nothing_when_postgresql_is_killed(
    own_postgres: Postgres, own_database: str
) -> None:
    """In the midst of its statement; the same process writes it as soon as PostgreSQL is back."""
    with open_db(own_database) as db:
        a_workflow(db)
        db.execute(_SLOW)
    many = [ONE | {"dedup_key": f"k{number}"} for number in range(100)]
    async with served_api(own_database) as api:
        client = api.client(await api.key())
        with open_db(own_database) as db:
            asked = asyncio.create_task(client.post("/api/notifications", json=many))
            await eventually(lambda: db.execute(_SLEEPS).rowcount)
        crash(own_postgres)
        assert is_unavailable(await asked)
        assert is_unavailable(await client.post("/api/notifications", json=ONE))
        assert (await client.get("/livez")).status_code == 200
        own_postgres.start()
        with open_db(own_database) as db:
            assert db.execute("SELECT FROM notify.ent_notification").rowcount == 0
            db.execute("DROP TRIGGER slow ON notify.ent_notification")

            async def sent() -> bool:
                return (await client.post("/api/notifications", json=many)).status_code == 201

            await eventually(sent)
            assert db.execute("SELECT FROM notify.ent_notification").rowcount == 100


async def test_nothing_is_half_written_and_nothing_twice(db: Db, database: str) -> None:
    """It is 503 while PostgreSQL is away, and also when only its answer is lost: then the same key finds the row."""
    a_workflow(db)

    def rows() -> object:
        return db.execute("SELECT count(*) AS number FROM notify.ent_notification").fetchone()

    async with proxied(database) as proxy, served_api(database, proxy=proxy) as api:
        client = api.client(await api.key())

        async def send(*items: Mapping[str, object], key: str | None = None) -> httpx.Response:
            headers = {} if key is None else {"Idempotency-Key": key}
            return await client.post("/api/notifications", json=items[0] if key else items, headers=headers)

        assert (await send(ONE, ONE)).status_code == 201
        proxy.cut()
        assert is_unavailable(await send(ONE))
        assert is_unavailable(await client.get("/api/notifications"))
        assert (await client.get("/livez")).status_code == 200
        assert rows() == {"number": 2}
        proxy.mend()
        proxy.cut_at(b"broken-off")
        assert is_unavailable(await send(*[ONE | {"dedup_key": f"broken-off-{n}"} for n in range(100)]))
        proxy.mend()
        proxy.cut_at(b"answer-lost", answered=True)
        assert is_unavailable(await send(ONE, key="answer-lost"))
        proxy.mend()
        again = await send(ONE, key="answer-lost")
        assert (again.status_code, again.json()["created"]) == (200, False)
        assert rows() == {"number": 3}
