"""The application of the page."""

import httpx
from starlette.requests import HTTPConnection
from typing_extensions import override

from tests.support.logs import logged_in_full
from xnovu_poller.web.page.access import Access, Viewer
from xnovu_poller.web.page.app import OperatorPage


class Broken(Access):
    """Has a bug, whose message quotes a tenant."""

    @override
    def find_viewer(self, request: HTTPConnection) -> Viewer | None:
        message = "what a tenant wrote"
        raise ValueError(message)


async def test_the_message_of_a_bug_reaches_neither_the_log_nor_the_server() -> None:
    """It may quote what a tenant wrote."""
    page = OperatorPage("postgresql://reader@127.0.0.1:1/none", Broken())
    transport = httpx.ASGITransport(page, raise_app_exceptions=True)
    with logged_in_full() as lines:
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            answer = await client.get("/")
        await page.aclose()

    assert answer.status_code == 500
    assert "operator's page failed" in lines.getvalue()
    assert "tenant" not in lines.getvalue() + answer.text
