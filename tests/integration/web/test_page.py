"""The operator's page: who gets in, and what each answer carries."""

from tests.support.paging import form_token, log_in, served_page
from tests.support.rows import Db


async def test_nobody_looks_without_the_password(db: Db, database: str) -> None:
    """A stranger gets the form for every address, and after it the page that was asked for."""
    async with served_page(database) as client:
        stranger = await client.get("/?a=b")
        assert (stranger.status_code, stranger.headers["location"]) == (303, "/login?next=%2F%3Fa%3Db")
        assert (await client.get("/events", headers={"accept": "text/event-stream"})).status_code == 401
        wrong = await log_in(client, password="wrong")
        assert (wrong.status_code, "The password is wrong." in wrong.text) == (403, True)

        entered = await log_in(client)

        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        page = await client.get("/")
        assert page.status_code == 200
        assert "No worker reports" in page.text
        assert 'title="may look">ann<' in page.text
        for rows in ("notifications", "rules", "templates", "acts"):
            assert (await client.get(f"/{rows}/{2**63}")).status_code == 404, rows
        refused = await client.post("/logout", data={"form_token": "x"})
        assert refused.status_code == 403
        await client.post("/logout", data={"form_token": form_token(page)})
        assert (await client.get("/")).status_code == 303
        missing = await client.get("/nothing-here")
        assert (missing.status_code, "There is nothing at this address." in missing.text) == (404, True)
        assert "default-src 'none'" in missing.headers["content-security-policy"]
