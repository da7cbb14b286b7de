"""The views of the operator's page, over HTTP, on a real database."""

from datetime import timedelta

import pytest

from tests.support.paging import form_token, log_in, served_page
from tests.support.rows import Db, a_notification, a_workflow


async def test_now_shows_what_waits(db: Db, database: str) -> None:
    """A tenant's name is shown with every character that a reader would not see, and nothing of it is markup."""
    hostile = "acme<script>alert(1)</script>\u202eemca"
    a_notification(db, enterprise=hostile, workflow=a_workflow(db))
    async with served_page(database) as client:
        await log_in(client)

        page = (await client.get("/")).text

    assert '<th scope="row">new</th><td class="n">1</td>' in page
    assert "acme&lt;script&gt;alert(1)&lt;/script&gt;\\u202eemca" in page
    assert "<script>alert" not in page


async def test_a_person_pauses_and_resumes_an_enterprise(db: Db, database: str) -> None:
    """With a reason, in the person's name; a reader sees the same, and changes nothing."""
    workflow = a_workflow(db)
    for enterprise in ("acme", "acorn", "globex"):
        a_notification(db, enterprise=enterprise, workflow=workflow)
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('idle', 0.5)")
    async with served_page(database, may_act=True) as client:
        await log_in(client, "ann")
        page = await client.get("/enterprises?enterprise=ac")
        assert ("acme" in page.text, "acorn" in page.text, "globex" in page.text) == (True, True, False)
        assert "0.5" in (await client.get("/enterprises?after=globex")).text
        asked = await client.get("/enterprises/pause?enterprise=acme")
        form = {"form_token": form_token(asked), "enterprise": "acme", "workflow": "", "lasts": "4"}
        refused = await client.post("/enterprises/pause", data=form | {"reason": " "})
        assert (refused.status_code, "Write why" in refused.text) == (400, True)
        endless = await client.post("/enterprises/pause", data=form | {"reason": "x", "lasts": "a while"})
        assert (endless.status_code, "Choose how long" in endless.text) == (400, True)

        await client.post("/enterprises/pause", data=form | {"reason": "wrong <text>"})

        (pause,) = db.execute(
            "SELECT enterprise_id, reason, paused_by, ends_at - paused_at AS lasts FROM notify.pause"
        )
        assert (pause["enterprise_id"], pause["reason"]) == ("acme", "wrong <text>")
        assert pause["paused_by"].endswith("(ann)")
        assert pause["lasts"] <= timedelta(hours=4)
        assert "wrong &lt;text&gt;" in (await client.get("/enterprises")).text
        await client.post("/enterprises/resume", data=form)
        assert db.execute("SELECT FROM notify.pause").rowcount == 0
        again = await client.post("/enterprises/resume", data=form)
        assert again.status_code == 409
    audited = db.execute("SELECT action, actor, enterprise_id FROM notify.ent_audit ORDER BY id").fetchall()
    assert audited == [
        {"action": action, "actor": "ann", "enterprise_id": "acme"} for action in ("pause", "resume")
    ]


async def test_the_doctor_shows_what_workers_found_and_examines_at_request(
    db: Db, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal and Novu are examined too, and a fault has what mends it."""
    db.execute(
        "INSERT INTO notify.chore (name, finished_at, took_ms, report, error) VALUES"
        ' (\'doctor\', now(), 5, \'{"findings": [{"code": "a", "sentence": "a <b>: is wrong; mend it"}]}\', NULL)'
    )
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    async with served_page(database, may_act=True) as client:
        await log_in(client)
        page = await client.get("/doctor")
        assert ("a &lt;b&gt;: is wrong" in page.text, "mend it" in page.text) == (True, True)

        examined = await client.post("/doctor", data={"form_token": form_token(page)})

        assert "check TEMPORAL_ADDRESS" in examined.text
        assert "PostgreSQL answers" in examined.text
