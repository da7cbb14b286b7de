"""Notifications on the page: found by filters, shown with their way, and changed by people who may act."""

import re

import httpx

from tests.support import lives
from tests.support.lives import World
from tests.support.paging import form_token, log_in, served_page
from tests.support.rows import Db, a_notification, a_template, a_workflow, row
from tests.support.waiting import eventually
from xnovu_poller.store.engine import Engine

HOSTILE = "acme<script>alert(1)</script>\u202eemca"
SHOWN = "acme&lt;script&gt;alert(1)&lt;/script&gt;\\u202eemca"


def listed(page: httpx.Response) -> list[int]:
    """Return the ids on a page of the list."""
    return [int(id_) for id_ in re.findall(r'<a href="/notifications/(\d+)">', page.text)]


async def test_notifications_are_found_by_their_filters(db: Db, database: str) -> None:
    """The address has all of it, page after page; a reader may not act; nothing of a tenant is markup."""
    workflow = a_workflow(db, key="evacuate")
    mine = [a_notification(db, workflow=workflow, recipients=[f"user-{number % 3}"]) for number in range(60)]
    other = a_notification(db, enterprise=HOSTILE, recipients=[HOSTILE])
    async with served_page(database) as client:
        await log_in(client)
        first = await client.get("/notifications", params={"workflow": "evacuate"})
        assert listed(first) == mine[:-51:-1]
        older = re.search(r'href="(\?workflow=evacuate&amp;after=[^"]+)"', first.text)
        assert older is not None
        assert listed(await client.get(f"/notifications{older[1].replace('&amp;', '&')}")) == mine[9::-1]
        assert "inserted in the last 24 hours" not in first.text
        page = await client.get("/notifications", params={"recipient": "user-1", "enterprise": "acme"})
        assert "acme: inserted in the last 24 hours</span> <b>60</b>" in page.text
        assert listed(page) == mine[1::3][::-1]
        assert listed(await client.get("/notifications?state=DEAD")) == []
        hostile = await client.get("/notifications", params={"enterprise": HOSTILE})
        assert (listed(hostile), SHOWN in hostile.text) == ([other], True)
        assert "<script>alert" not in hostile.text
        wrong = await client.get("/notifications?since=soon&id=x")
        assert ("since: write 2026" in wrong.text, "id: write the number" in wrong.text) == (True, True)
        assert (await client.get(f"/notifications?id={other}")).headers[
            "location"
        ] == f"/notifications/{other}"
        confirmation = await client.get("/notifications/retract", params={"enterprise": "acme"})
        assert "Retract 60 notifications?" in confirmation.text
        assert "set OPERATOR_ROLE=operator" in confirmation.text
        token = {"form_token": form_token(confirmation)}
        assert (await client.post("/notifications/retract", data=token)).status_code == 403
        assert (await client.post(f"/notifications/{other}/retract", data=token)).status_code == 403
    assert row(db, other)["notification_status"] == "PENDING"


async def test_what_is_shown_is_changed_and_nothing_else(engine: Engine, db: Db, database: str) -> None:
    """The count comes first; the filters of the confirmation are frozen; the audit has the person."""
    mine = [a_notification(db, enterprise="acme") for _ in range(3)]
    other = a_notification(db, enterprise="globex")
    async with served_page(database, may_act=True) as client:
        await log_in(client)
        confirmation = await client.get("/notifications/retract?enterprise=acme&state=PENDING&state=DEAD")
        assert "Retract 3 notifications?" in confirmation.text
        assert "DEAD cannot be retracted, and is left out." in confirmation.text
        late = a_notification(db, enterprise="acme")
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', confirmation.text))
        assert form.keys() == {"form_token", "counted", "state", "enterprise", "until", "ended"}
        loose = {name: value for name, value in form.items() if name != "until"}
        for wrong in (loose, form | {"ended": ""}, form | {"counted": "9" * 30}):
            assert (await client.post("/notifications/retract", data=wrong)).status_code == 400
        begun = await client.post("/notifications/retract", data=form | {"reason": "wrong text"})
        line = begun.headers["location"]

        async def is_done() -> bool:
            return "Retract: done" in (await client.get(line)).text

        await eventually(is_done)
        done = (await client.get(line)).text
        assert ("3 of 3 changed." in done, "<li>3 RETRACTED</li>" in done) == (True, True)
        assert {row(db, id_)["retraction_reason"] for id_ in mine} == {"wrong text"}
        assert [row(db, id_)["notification_status"] for id_ in (other, late)] == ["PENDING"] * 2
        (audited,) = db.execute("SELECT actor, filters ->> 'via' AS via, changed FROM notify.ent_audit")
        assert audited == {"actor": "ann", "via": "page", "changed": 3}

        # One by one, and back again.
        page = await client.get(f"/notifications/{mine[0]}")
        token = {"form_token": form_token(page)}
        revived = await client.post(f"/notifications/{mine[0]}/revive", data=token)
        assert "PENDING again" in (await client.get(revived.headers["location"])).text
        again = await client.post(f"/notifications/{mine[0]}/revive", data=token)
        assert "not revived: it is PENDING" in (await client.get(again.headers["location"])).text
        dead = await World(db, engine).dead(lives.AWAY)
        assert "Revive 1 notification?" in (await client.get("/notifications/revive")).text
        assert (await client.get("/notifications/revive?state=SENT")).status_code == 400
        assert (await client.get("/notifications/explode")).status_code == 404
        assert row(db, dead)["notification_status"] == "DEAD"


async def test_one_notification_is_told_in_full(engine: Engine, db: Db, database: str) -> None:
    """Its cause, its way, what comes next; the payload and the words only if somebody asks."""
    world = World(db, engine)
    twice = await lives.sent_later(world, unknown=False)
    chunked = await lives.chunk_rejected(world)
    workflow = a_workflow(
        db,
        key="evacuate",
        workflow_type="DYNAMIC",
        default_channels="{EMAIL,SMS,PUSH}",
        template_overrides={"EMAIL": "mail", "SMS": "short"},
    )
    a_template(
        db, key="mail", subject_template="${order}!", body_template="<script>run()</script><b>${order}</b>"
    )
    a_template(db, key="short", channel_type="SMS", body_template="${absent}")
    rich = a_notification(
        db,
        workflow=workflow,
        payload={"order": HOSTILE, "amount": 98765.5},
        recipients=[HOSTILE, "topic:all"],
    )
    async with served_page(database) as client:
        await log_in(client)
        page = (await client.get(f"/notifications/{twice}")).text
        assert "Notification" in page
        assert "Novu accepted it at attempt 2" in page
        assert "The way of the notification: PENDING, PROCESSING, FAILED, PROCESSING, SENT." in page
        assert re.search(r"FAILED → <b>PROCESSING</b>\s*<span class=\"soft\">attempt 2, after [\d.]+ s", page)
        assert "nothing; retention deletes it later" in page
        asked = (await client.get(f"/notifications/{twice}?ask=yes")).text
        assert "Not known: which worker claimed it" in asked
        parts = (await client.get(f"/notifications/{chunked}")).text
        assert ("<td>accepted</td>" in parts, "<td>refused (novu_blocked)</td>" in parts) == (True, True)
        plain = (await client.get(f"/notifications/{rich}")).text
        assert ['data-changes=""' in text for text in (plain, page)] == [False, True]
        assert [text in plain for text in ("acme&lt;", "topic:all", "98765.5")] == [False] * 3

        content = await client.get(f"/notifications/{rich}/content")
        assert [text in content.text for text in (SHOWN, "topic:all", "98765.5")] == [True] * 3
        assert "<script>" not in re.sub(r'<script src="/static[^>]*>', "", content.text)
        assert "<b>SMS</b>: template" in content.text
        assert "absent" in content.text
        assert "<b>PUSH</b>: template (none)" in content.text
        frame = await client.get(f"/notifications/{rich}/words/EMAIL")
        assert frame.text.startswith("<script>run()</script><b>acme&lt;script&gt;")
        assert frame.headers["content-security-policy"].startswith("sandbox; default-src 'none'; style-src")
        assert frame.headers["x-frame-options"] == "SAMEORIGIN"
        for missing in ("999/content", f"{rich}/words/SMS", "999", "999/words/EMAIL"):
            assert (await client.get(f"/notifications/{missing}")).status_code == 404
