"""The operator's page in the process of the API."""

from tests.support.api import served_api
from tests.support.paging import PASSWORD, log_in


async def test_the_page_answers_where_the_api_does_not(database: str) -> None:
    """Without a password there is no page; with one, the faults of the API stay problems; a stop ends live pages."""
    async with served_api(database) as api:
        assert (await api.client().get("/")).status_code == 404
    async with served_api(database, OPERATOR_PASSWORD=PASSWORD, OPERATOR_DATABASE_URL=database) as api:
        client = api.client()
        client.headers["origin"] = api.url
        assert (await client.get("/")).headers["location"] == "/login?next=%2F"
        assert (await client.get("/api/nothing")).json()["code"] == "not_found"
        assert (await client.delete("/api/notifications")).json()["code"] == "method_not_allowed"
        await log_in(client)
        async with client.stream("GET", "/events") as events:
            lines = events.aiter_lines()
            assert await anext(lines) == "retry: 3000"
            api.stop.set()
            assert [line async for line in lines][-1:] == [""]
