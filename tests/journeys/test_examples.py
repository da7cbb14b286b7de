"""The examples work: each is started as its first lines describe, and takes orders."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.house import sources
from tests.journeys.test_readme import blocks
from tests.support.api import served_api
from tests.support.logins import a_login, name_of, without_login
from tests.support.ports import reserved_port
from tests.support.programs import ENVIRONMENT, ROOT
from tests.support.rows import Db, a_workflow, row
from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.testing import recorded

DJANGO = ("shop.py", "runserver", "--noreload", "127.0.0.1:4100")
FASTAPI = ("-m", "uvicorn", "shop:app", "--port", "4100")


@contextmanager
def started(folder: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Run an example in its folder on a free port; yield a client of it once it answers."""
    with (
        reserved_port() as port,
        subprocess.Popen(
            [word.replace("4100", str(port)) for word in command],
            cwd=ROOT / "examples" / folder,
            env={**ENVIRONMENT, **environment},
        ) as child,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WITHIN) as client,
    ):
        try:
            wait_until(lambda: child.poll() is not None or _answers(client))
            yield client
        finally:
            child.kill()


def _answers(client: httpx.Client) -> bool:
    try:
        client.get("/")
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize(
    ("folder", "command", "driver"),
    [("django", DJANGO, ""), ("fastapi", FASTAPI, "+psycopg")],
    ids=["django", "fastapi"],
)
def test_an_order_and_its_notification_are_there_or_neither(
    db: Db, database: str, folder: str, command: Sequence[str], driver: str
) -> None:
    """A shop with its own table and a producer's login; the second customer has no usable id."""
    db.execute("CREATE TABLE public.shop_order (number int PRIMARY KEY, customer text NOT NULL)")
    a_workflow(db)
    login = a_login(database, "xnovu_producer")
    db.execute(f"GRANT INSERT ON public.shop_order TO {name_of(login)}".encode())
    url = login.replace("postgresql:", f"postgresql{driver}:")
    with started(folder, (sys.executable, *command), {"DATABASE_URL": url}) as client:
        shipped = client.post("/orders", json={"number": 42, "customer": "user-17"})
        refused = client.post("/orders", json={"number": 43, "customer": " "})
    db.execute(f"DROP OWNED BY {name_of(login)}".encode())
    without_login(database, login)

    assert (shipped.status_code, refused.status_code) == (201, 422)
    assert "recipients number 1 is blank" in refused.json()["error"]
    made = row(db, shipped.json()["notification"])
    assert (made["recipients"], made["payload"], made["dedup_key"]) == (
        ["user-17"],
        {"order": 42},
        "order-42",
    )
    assert [found["number"] for found in db.execute("SELECT number FROM public.shop_order")] == [42]
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


def test_the_python_of_the_page_runs(db: Db, database: str) -> None:
    """A call in a transaction, and the test of an application."""
    a_workflow(db)
    db.execute("CREATE TABLE public.orders AS SELECT 42 AS id, false AS shipped")
    call, _, of_application, _ = blocks(sources.text(Path("docs/producers.md")), "python")

    with psycopg.connect(database) as connection:
        names: dict[str, Any] = {"connection": connection}
        exec(call, names)  # noqa: S102 - our own page
    assert row(db, names["made"].id)["dedup_key"] == "order-42"

    exec(of_application, names)  # noqa: S102
    with recorded() as recorder:
        names["test_a_customer_hears_of_the_order"](recorder)


async def test_an_order_in_node_is_notified_once(database: str, db: Db) -> None:
    """Over HTTP, with the number of the order as the key."""
    a_workflow(db)
    async with served_api(database) as api:
        environment = {"XNOVU_API_URL": api.url, "XNOVU_API_KEY": await api.key()}
        shipped, again, refused = await asyncio.to_thread(_order_in_node, environment)

    assert (shipped.status_code, again.status_code, refused.status_code) == (201, 201, 422)
    assert shipped.json() == again.json()
    assert "recipients number 1 is blank" in refused.json()["error"]
    assert row(db, shipped.json()["notification"])["dedup_key"] == "order-42"
    assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


def _order_in_node(environment: Mapping[str, str]) -> list[httpx.Response]:
    node = shutil.which("node")
    assert node is not None
    orders = [(42, "user-17"), (42, "user-17"), (43, " ")]
    with started("node", (node, "shop.mjs", "4100"), environment) as client:
        return [client.post("/orders", json={"number": number, "customer": name}) for number, name in orders]
