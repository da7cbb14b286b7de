"""Rules, workflows and templates on the page: read by all, tried without a trace, and changed by people who may act."""

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.environments import Environment
from tests.support.paging import form_token, log_in, served_page
from tests.support.rows import Db, a_notification, a_rule, a_template, a_workflow, rule_row
from xnovu_poller.settings import load_novu, load_temporal
from xnovu_poller.temporal.shared import SharedClient
from xnovu_poller.web.page.outside import Outside

HOSTILE = "acme<script>alert(1)</script>\u202eemca"
SHOWN = "acme&lt;script&gt;alert(1)&lt;/script&gt;\\u202eemca"
SCRIPTS = re.compile(r"<script(?! src=\"/static)")


@pytest.fixture
async def browser(
    database: str, worker_environment: dict[str, str], environment: Environment
) -> AsyncIterator[httpx.AsyncClient]:
    """A person who may act, at a page that may ask Temporal and Novu."""
    environment(**worker_environment)
    outside = Outside(temporal=SharedClient(load_temporal()), novu=load_novu())
    async with served_page(database, may_act=True, outside=outside) as client:
        await log_in(client)
        yield client


async def test_a_rule_is_shown_in_words_and_fired(db: Db, browser: httpx.AsyncClient) -> None:
    """With its next times in its zone; each act of a person leaves a line in the audit."""
    workflow = a_workflow(db)
    rule = a_rule(
        db,
        workflow=workflow,
        trigger_config={"cron": "30 8 * * 1-5", "timezone": "Asia/Shanghai"},
        rule_payload={"recipients": ["u"]},
    )
    odd: dict[str, Any] = {"name": HOSTILE, "trigger_config": {"cron": "9 *"}, "rule_payload": {}}
    bad = a_rule(db, workflow=workflow, enterprise=HOSTILE, **odd)
    made = a_notification(db, notification_rule_id=rule)
    listed = (await browser.get("/rules")).text
    assert "at 08:30, Monday to Friday, in Asia/Shanghai" in listed
    assert ("cron: has 2 fields" in listed, SHOWN in listed, SCRIPTS.search(listed)) == (True, True, None)
    assert f'href="/rules/{rule}"' not in (await browser.get("/rules", params={"enterprise": HOSTILE})).text
    page = await browser.get(f"/rules/{rule}")
    assert len(re.findall(r"<li>\w{3} \d{4}-\d\d-\d\d 08:30:00 CST", page.text)) == 5
    assert f'href="/notifications/{made}"' in page.text
    assert "rule_payload has no recipients" in (await browser.get(f"/rules/{bad}")).text
    token = {"form_token": form_token(page)}
    await browser.post(f"/rules/{rule}/pause", data=token)
    assert rule_row(db, rule)["deactivated"]
    assert "Resume</button>" in (await browser.get(f"/rules/{rule}")).text
    await browser.post(f"/rules/{rule}/resume", data=token)
    assert not rule_row(db, rule)["deactivated"]
    fired = (await browser.post(f"/rules/{rule}/fire", data=token)).headers["location"]
    assert "Its notification is not there yet" in (await browser.get(fired)).text
    a_notification(db, dedup_key=fired.partition("fired=")[2])
    assert "Fired: it made" in (await browser.get(fired)).text
    lines = db.execute("SELECT action, actor, filters, changed FROM notify.ent_audit ORDER BY id")
    chosen = {"rule": rule, "via": "page"}
    assert [tuple(line.values()) for line in lines] == [
        ("pause rule", "ann", chosen, 1),
        ("resume rule", "ann", chosen, 1),
        ("fire rule", "ann", chosen, 0),
    ]
    for path in ("/rules/999", f"/rules/{rule}/explode"):
        assert (await browser.post(path, data=token)).status_code in {404, 405}


async def test_a_workflow_is_compared_with_novu(db: Db, browser: httpx.AsyncClient) -> None:
    """What the rows know at once, what Novu knows if somebody asks."""
    columns: dict[str, Any] = {
        "workflow_type": "DYNAMIC",
        "default_channels": "{EMAIL}",
        "template_overrides": {"EMAIL": "mail"},
    }
    made = a_workflow(db, key="evacuate", **columns)
    a_workflow(db, key="static", name=HOSTILE)
    db.execute(
        "UPDATE notify.ent_notification_workflow SET checked_status = 'ERROR', checked_error = 'no mail' WHERE id = %s",
        [made],
    )
    page = (await browser.get("/workflows")).text
    assert [
        text in page for text in ("never written to Novu", "people write it in Novu", "no mail", SHOWN)
    ] == [True] * 4
    assert ("In Novu" in page, SCRIPTS.search(page)) == (False, None)
    asked = (await browser.get("/workflows?ask=yes&key=evacuate")).text
    assert re.search(r">create</span> <b>evacuate</b>", asked)
    assert re.search(r">missing</span> <b>static</b>", asked)
    assert (await browser.get("/workflows?faulty=yes")).text.count('<th scope="row">') == 1


async def test_a_template_is_tried_with_a_payload(db: Db, browser: httpx.AsyncClient) -> None:
    """By channel and language, wide and on a phone; a mail runs nothing, and its frame needs no other origin."""
    mail = '<b style="color:red">${order}</b><script>run()</script>'
    made = a_template(db, key="parcel", subject_template="Order ${order}", body_template=mail)
    a_template(db, key="parcel", locale="de", subject_template="Bestellung ${order}")
    a_template(db, key="parcel", channel_type="SMS", body_template="Order ${absent}")
    draft = a_template(db, key="draft", body_template="${a.b(}", publish_status="DRAFT")
    listed = (await browser.get("/templates?key=parcel")).text
    assert re.findall(r'<a href="/templates/(\d+)">parcel</a>', listed) == [
        str(made + number) for number in range(3)
    ]
    page = await browser.get(f"/templates/{made}")
    assert "No fault was found." in page.text
    assert SCRIPTS.search(page.text) is None
    assert "It is not published" in (await browser.get(f"/templates/{draft}")).text
    form = {
        "form_token": form_token(page),
        "payload": '{"order": "<i>42"}',
        "enterprise": HOSTILE,
        "locale": "en",
    }
    tried = await browser.post(f"/templates/{made}", data=form)
    frames = [html.unescape(body) for body in re.findall(r'srcdoc="([^"]*)"', tried.text)]
    assert frames == ['<b style="color:red">&lt;i&gt;42</b><script>run()</script>'] * 2
    assert len(re.findall(r"<iframe sandbox title=", tried.text)) == 2
    assert ("Order &lt;i&gt;42" in tried.text, "absent" in tried.text, SHOWN in tried.text) == (
        True,
        True,
        True,
    )
    assert SCRIPTS.search(tried.text) is None
    assert "script-src 'self'" in tried.headers["content-security-policy"]
    assert "Bestellung" in (await browser.post(f"/templates/{made}", data=form | {"locale": "de_CH"})).text
    for wrong, sentence in (
        ({"payload": "[1]"}, "the payload is no object"),
        ({"payload": "{"}, "the payload is no JSON"),
        ({"locale": "xx_YY_zz"}, 'class="fault"'),
        ({"time_zone": "Mars"}, 'class="fault"'),
    ):
        assert sentence in (await browser.post(f"/templates/{made}", data=form | wrong)).text
    assert (await browser.get("/templates/999")).status_code == 404
