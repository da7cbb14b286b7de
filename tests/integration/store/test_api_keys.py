"""Keys are admitted only as long as they are valid, and their buckets hold over processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.rows import Db, engine_on, sqlalchemy_url
from xnovu_poller.store import api_keys, session
from xnovu_poller.store.api_keys import Rates, Refusal, Scope
from xnovu_poller.store.engine import Engine, connect

DAY = timedelta(days=1)
# A bucket of four requests, which gets none during the test.
RATES = Rates(key=0.001, address=0.002, wrong_keys=0.001, burst_seconds=4000)


@pytest.fixture
async def pools(database: str) -> AsyncIterator[tuple[Engine, Engine]]:
    """Yield pools of the API, which stand for two processes."""
    made = [connect(sqlalchemy_url(database), part="api", kind=session.API) for _ in range(2)]
    yield made[0], made[1]
    for engine in made:
        await engine.dispose()


async def test_a_bucket_holds_over_processes(database: str, db: Db, pools: tuple[Engine, Engine]) -> None:
    """Each takes tokens of the same bucket, also at the same moment."""
    # A machine that stands still must not end a request's wait for the bucket.
    db.execute("ALTER FUNCTION notify.admit_request SET lock_timeout = 0")
    async with engine_on(database) as worker:
        made = await api_keys.create(worker, "acme", "test", [Scope.READ], datetime.now(UTC) + DAY)
    key = api_keys.read_key(made or "")
    assert key is not None

    admitted = [await api_keys.admit(engine, key, "192.0.2.1", RATES) for engine in pools]
    expected = (None, "acme", frozenset({Scope.READ}))
    assert [(each.refusal, each.enterprise_id, each.scopes) for each in admitted] == [expected] * 2
    rest = await asyncio.gather(
        *(api_keys.admit(engine, key, "192.0.2.1", RATES) for engine in pools for _ in range(2))
    )
    assert sorted(str(each.refusal) for each in rest) == ["None", "None", "rate", "rate"]
    assert all(-1 < each.left_over < 0 for each in rest if each.refusal)


async def test_a_key_that_is_not_valid_takes_tokens_of_its_address(
    database: str, db: Db, pools: tuple[Engine, Engine]
) -> None:
    """Wrong, unknown, expired or revoked: the answer is the same."""
    engine, _ = pools
    async with engine_on(database) as worker:
        made = [await api_keys.create(worker, "acme", "test", [Scope.READ], None) for _ in range(3)]
        right, expired, revoked = (api_keys.read_key(each or "") for each in made)
        assert right
        assert expired
        assert revoked
        db.execute("UPDATE notify.api_key SET expires_at = now() WHERE prefix = %s", [expired[0]])
        assert await api_keys.revoke(worker, revoked[0]) == "acme"

    wrong = [(right[0], bytes(32)), ("0" * 12, right[1]), expired, revoked]
    found = [await api_keys.admit(engine, each, "192.0.2.2", RATES) for each in wrong]
    assert [(each.refusal, each.enterprise_id, each.scopes) for each in found] == [
        (Refusal.KEY, "", frozenset())
    ] * 4
    assert (await api_keys.admit(engine, wrong[0], "192.0.2.2", RATES)).refusal is Refusal.WRONG
    # Five of the eight requests of the address were made by then.
    last = [await api_keys.admit(engine, right, "192.0.2.2", RATES) for _ in range(4)]
    assert [each.refusal for each in last] == [None, None, None, Refusal.ADDRESS]
    used = db.execute("SELECT count(last_used_at) AS used FROM notify.api_key").fetchone()
    assert used == {"used": 1}


def test_only_the_form_of_a_key_is_looked_up() -> None:
    """Everything else costs no statement."""
    key = f"xnovu_0123456789ab_{'A' * 43}"

    assert api_keys.read_key(key) is not None
    assert [
        api_keys.read_key(each) for each in ("", "xnovu_", key + "A", key[:-1], key.upper(), key + "\n")
    ] == [None] * 6
