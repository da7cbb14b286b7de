"""Templates through the API: rendered with a payload."""

import asyncio
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.api import codes, served_api
from tests.support.rows import Db, a_template
from xnovu_poller.delivery.shares import Shares
from xnovu_poller.lifecycle import Channel
from xnovu_poller.web.api import application

BOMB = "\n".join(f"% for {name} in items:" for name in "abc") + "\n${a}\n" + "% endfor\n" * 3


async def test_templates_are_rendered_by_channel_and_language(
    db: Db, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a notification would be: the enterprise's own text wins, and no number changes its digits."""
    # Compiling is paid for by the time that passes, so on a busy machine the enterprise would have to wait.
    monkeypatch.setattr(application, "Shares", partial(Shares, lambda: 0.0))
    a_template(db, key="parcel", body_template="everyone's")
    a_template(
        db,
        enterprise="acme",
        key="parcel",
        subject_template="Parcel ${order}",
        body_template="<p>${city} costs ${price}, ${enterprise['id']}</p>",
    )
    a_template(db, enterprise="acme", key="parcel", channel_type="SMS", body_template="Parcel ${order}")
    a_template(
        db, enterprise="acme", key="parcel", channel_type="SMS", locale="de", body_template="Paket ${order}"
    )
    a_template(db, enterprise="acme", key="parcel", channel_type="PUSH", body_template="line one\n${missing}")
    a_template(db, enterprise="acme", key="unsafe", body_template="${__import__('os').system('id')}")
    async with served_api(database) as api:
        client = api.client(await api.key())

        async def render(**asked: object) -> dict[str, object]:
            answer = await client.post("/api/templates/render", json=asked)
            assert answer.status_code == 200, answer.text
            found: dict[str, object] = answer.json()
            return found

        price = '{"template_key": "parcel", "payload": {"order": 42, "city": "<Bern>", "price": 1.10}}'
        rendered = await client.post(
            "/api/templates/render", content=price, headers={"Content-Type": "application/json"}
        )
        assert rendered.json() == {
            "locale": "en",
            "time_zone": "UTC",
            "texts": [
                {
                    "channel": "EMAIL",
                    "subject": "Parcel 42",
                    "body": "<p>&lt;Bern&gt; costs 1.10, acme</p>",
                    "text": "<Bern> costs 1.10, acme",
                },
                {"channel": "SMS", "subject": None, "body": "Parcel 42", "text": None},
            ],
            "faults": [
                {
                    "channel": "PUSH",
                    "reason": "missing is missing; add it to the payload or the defaults, or write `or '…'`",
                    "text": "body",
                    "part": None,
                    "line": 2,
                    "column": None,
                }
            ],
        }, rendered.text
        german = await render(
            template_key="parcel",
            channels=["SMS"],
            locale="de-CH",
            time_zone="Europe/Zurich",
            payload={"order": 1},
        )
        assert german == {
            "locale": "de_CH",
            "time_zone": "Europe/Zurich",
            "texts": [{"channel": "SMS", "subject": None, "body": "Paket 1", "text": None}],
            "faults": [],
        }
        unsafe = await render(template_key="unsafe")
        assert unsafe["texts"] == []
        assert str(unsafe["faults"]).count("'channel': 'EMAIL'") == 1


async def test_what_cannot_be_rendered_is_a_problem(db: Db, database: str) -> None:
    """A template of another enterprise is like a key that does not exist."""
    a_template(db, enterprise="acme", key="draft", publish_status="DRAFT")
    a_template(db, enterprise="globex", key="secret")
    async with served_api(database) as api:
        client = api.client(await api.key())
        hidden = [
            await client.post("/api/templates/render", json={"template_key": key})
            for key in ("secret", "none", "draft")
        ]
        assert [each.json() for each in hidden] == [hidden[0].json()] * 3
        assert hidden[0].status_code == 404
        wrongs: list[dict[str, Any]] = [
            {"locale": "xx"},
            {"time_zone": "Mars/Olympus"},
            {"channels": []},
            {"body": "x"},
        ]
        refused = [
            await client.post("/api/templates/render", json={"template_key": "parcel"} | wrong)
            for wrong in wrongs
        ]
        assert codes(refused) == ["invalid"] * 4


async def test_a_heavy_template_uses_up_its_enterprises_share_and_no_others(db: Db, database: str) -> None:
    """The enterprise is asked to wait, and another is served meanwhile."""
    for channel in Channel:
        a_template(db, key="bomb", channel_type=channel, body_template=BOMB)
    a_template(db, key="light")
    async with served_api(database) as api:
        client, other = api.client(await api.key()), api.client(await api.key("globex"))
        asked = {"template_key": "bomb", "payload": {"items": list(range(60))}}
        refused: list[httpx.Response] = []
        # At once, so that they take the processor also where PostgreSQL is slow.
        while not refused:
            answers = await asyncio.gather(
                *[client.post("/api/templates/render", json=asked) for _ in range(20)]
            )
            refused = [each for each in answers if each.status_code != 200]
        served = await other.post("/api/templates/render", json={"template_key": "light"})

    assert {*codes(refused)} == {"share_used"}
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert served.json()["texts"][0]["body"] == "Hello"
