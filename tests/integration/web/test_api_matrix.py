"""Each operation of the table, for two enterprises and every kind of key: nothing of another is reached."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from psycopg import sql

from tests.support.api import ServedApi, served_api
from tests.support.enterprises import id_of
from tests.support.rows import Db
from xnovu_poller.store import api_keys
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.web.api.operation import Operation
from xnovu_poller.web.api.table import OPERATIONS

BODIES: dict[str, dict[str, Any]] = {
    "send_notifications": {"workflow_key": "order-shipped", "recipients": ["user-1"]},
    "preview_times": {"trigger_config": {"cron": "0 9 * * *", "timezone": "UTC"}},
    "render_template": {"template_key": "parcel", "payload": {}},
    "trigger": {"workflowId": "order-shipped", "subscriberId": "user-1"},
}
"""A body for each operation that cannot do without."""

SECRETS = ("globex", "app_password", "notify.", "SELECT")
"""What no answer to acme may name: the other, its rows, and how we ask."""

FREE = 900_000
"""An id that nobody has."""

_TABLES = sql.SQL(
    "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS hash FROM notify.{} AS t WHERE enterprise_id = 'globex'"
)


def footprint(db: Db) -> list[object]:
    """Return the rows of globex, as hashes."""
    tables = (
        "ent_notification",
        "ent_notification_delivery",
        "ent_notification_rule",
        "ent_notification_workflow",
        "ent_notification_template",
        "ent_audit",
    )
    return [db.execute(_TABLES.format(sql.Identifier(name))).fetchone() for name in tables]


async def ask(client: httpx.AsyncClient, operation: Operation, id_: int = FREE) -> httpx.Response:
    """Call an operation."""
    body = BODIES.get(operation.name)
    return await client.request(operation.method, operation.path.replace("{id}", str(id_)), json=body)


def numbers(value: object) -> Iterator[object]:
    """Yield what a JSON document has."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    else:
        yield value


async def make_keys(api: ServedApi, db: Db) -> dict[str, str]:
    """Return a key that is not accepted, of each kind, by its name."""
    soon = datetime.now(UTC) + timedelta(days=1)
    expired, revoked, right = [await api.key(expires_at=soon) for _ in range(3)]
    db.execute(
        "UPDATE notify.api_key SET expires_at = now() WHERE prefix = %s", [api_keys.prefix_of(expired)]
    )
    db.execute(
        "UPDATE notify.api_key SET revoked_at = now() WHERE prefix = %s", [api_keys.prefix_of(revoked)]
    )
    other = await api.key("globex")
    return {
        "expired": expired,
        "revoked": revoked,
        "of another prefix": right.replace(api_keys.prefix_of(right), api_keys.prefix_of(other)),
        "of no form": "xnovu_secret",
    }


async def test_no_operation_reaches_another_enterprise(two_enterprises: Db, any_database: str) -> None:
    """Neither by status, text or count, nor does a row of another change; an id of another is like no id at all."""
    theirs = id_of(two_enterprises, "globex")
    before = footprint(two_enterprises)
    async with served_api(any_database) as api:
        client = api.client(await api.key("acme"))
        for operation in OPERATIONS:
            free, other = await ask(client, operation), await ask(client, operation, theirs)
            assert not [secret for secret in SECRETS if secret in other.text], other.text
            if "{id}" in operation.path:
                assert (free.status_code, other.status_code) == (404, 404), operation
                assert free.json() == other.json()
                assert free.headers.keys() == other.headers.keys()
            else:
                assert other.status_code in {200, 201}, other.text
            if operation.query is not None:
                assert theirs not in set(numbers(other.json()))
        claimed = await client.post("/api/trigger", json={**BODIES["trigger"], "enterpriseId": "globex"})
        invented = await client.post("/api/trigger", json={**BODIES["trigger"], "enterpriseId": "of-nobody"})
        assert (claimed.status_code, claimed.json()) == (403, invented.json())

    assert footprint(two_enterprises) == before


async def test_no_operation_is_open_to_a_key_that_is_not_accepted(
    two_enterprises: Db, any_database: str
) -> None:
    """The answer is the same for each; a key without the scope is forbidden before its body is read."""
    ours = id_of(two_enterprises, "acme")
    async with served_api(any_database) as api:
        wrong = await make_keys(api, two_enterprises)
        bodies = set()
        for key in wrong.values():
            for scheme in ("Bearer", "ApiKey"):
                client = api.client(Authorization=f"{scheme} {key}")
                answer = await ask(client, OPERATIONS[0])
                bodies.add(answer.text)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (
                    401,
                    'Bearer realm="xnovu"',
                )
        assert len(bodies) == 1
        for operation in OPERATIONS:
            without = await ask(api.client(), operation, ours)
            assert (without.status_code, without.text) == (401, *bodies)
            others = set(Scope) - {operation.scope}
            forbidden = await ask(api.client(await api.key(scopes=others)), operation, ours)
            assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
            allowed = await ask(api.client(await api.key(scopes=[operation.scope])), operation, ours)
            assert allowed.status_code not in {401, 403}
