"""The rules and workflows of an enterprise."""

from collections.abc import AsyncIterator

import pytest

from tests.support.logins import a_login, without_login
from tests.support.rows import Db, sqlalchemy_url
from xnovu_poller.store import own, session
from xnovu_poller.store.engine import Tenant, connect


@pytest.fixture
async def tenant(any_database: str) -> AsyncIterator[Tenant]:
    """Yield the pool of the API, acting for acme."""
    login = a_login(any_database, "xnovu_api")
    engine = connect(sqlalchemy_url(login), part="test", kind=session.API)
    yield Tenant(engine, "acme")
    await engine.dispose()
    without_login(any_database, login)


async def test_an_enterprise_sees_its_own_rules_and_workflows(two_enterprises: Db, tenant: Tenant) -> None:
    """On each version; global workflows too, page by page."""
    [rule] = await own.list_rules(tenant, 0, 10)
    workflows = await own.list_workflows(tenant, 0, 10)

    assert rule.enterprise_id == "acme"
    assert await own.list_rules(tenant, rule.id, 10) == []
    assert [(each.key, each.is_global, each.is_in_step) for each in workflows] == [
        ("order-shipped", False, None),
        ("order-shipped", True, None),
    ]
    assert await own.list_workflows(tenant, 0, 1) == workflows[:1]
    assert await own.list_workflows(tenant, workflows[0].id, 10) == workflows[1:]
