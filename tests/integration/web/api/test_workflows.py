"""Workflows through the API."""

import json

from tests.support.api import served_api
from tests.support.rows import Db, a_workflow
from tests.support.syncing import a_dynamic
from xnovu_poller.lifecycle import Channel


async def test_workflows_are_listed_with_their_step_in_novu(db: Db, database: str) -> None:
    """Its own and global workflows, by pages; those in Novu have all channels, or not."""
    everyones = a_workflow(db)
    synced, half, waiting = (
        a_dynamic(db, key, enterprise="acme", default_channels=["EMAIL", "IN_APP"])
        for key in ("synced", "half", "waiting")
    )
    draft = a_dynamic(db, "draft", enterprise="acme", publish_status="DRAFT")
    a_dynamic(db, "secret", enterprise="globex")
    for key, channels in (("synced", ["in_app", "email", "sms"]), ("half", ["email"]), ("draft", ["email"])):
        steps = {"steps": [{"type": channel, "name": channel} for channel in channels]}
        db.execute(
            "INSERT INTO notify.workflow_sync (workflow_key, identifier, written, answered, written_at)"
            " VALUES (%s, %s, %s, '{}', now())",
            [key, key, json.dumps(steps)],
        )
    async with served_api(database) as api:
        client = api.client(await api.key())
        first = (await client.get("/api/workflows", params={"limit": 3})).json()
        second = (await client.get("/api/workflows", params={"limit": 3, "cursor": first["cursor"]})).json()

    listed = first["workflows"] + second["workflows"]
    assert [(each["id"], each["in_step"], each["is_global"]) for each in listed] == [
        (everyones, None, True),
        (synced, True, False),
        (half, False, False),
        (waiting, False, False),
        (draft, None, False),
    ]
    assert (first["cursor"], second["cursor"]) == (half, None)
    assert listed[1] == {
        "id": synced,
        "workflow_key": "synced",
        "name": "synced",
        "type": "DYNAMIC",
        "channels": [Channel.EMAIL, Channel.IN_APP],
        "is_global": False,
        "active": True,
        "checked_status": None,
        "checked_error": None,
        "in_step": True,
    }
