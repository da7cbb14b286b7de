"""The operator's page on a real socket."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from tests.support.rows import sqlalchemy_url
from xnovu_poller.web.page.access import Access
from xnovu_poller.web.page.app import OperatorPage
from xnovu_poller.web.page.outside import Outside

PASSWORD = "correct horse battery"


@asynccontextmanager
async def served_page(
    database: str, access: Access | None = None, *, may_act: bool = False, outside: Outside | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the page for a database, and lend a client that has not logged in."""
    access = access or Access(password=PASSWORD, may_act=may_act)
    page = OperatorPage(sqlalchemy_url(database), access, may_act=may_act, outside=outside)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(page, log_config=None, log_level="error", lifespan="off", proxy_headers=False)
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:
            client.headers["origin"] = address
            yield client
    finally:
        page.close_streams()
        server.should_exit = True
        await serving
        await page.aclose()


async def log_in(client: httpx.AsyncClient, name: str = "ann", password: str = PASSWORD) -> httpx.Response:
    """Log in through the form."""
    token = form_token(await client.get("/login"))
    return await client.post("/login", data={"name": name, "password": password, "form_token": token})


def form_token(page: httpx.Response) -> str:
    """Return the token of the forms of a page."""
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]
