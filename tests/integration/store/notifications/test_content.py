"""What a notification contains, for a person who asks."""

from tests.support.rows import Db, a_notification, a_workflow
from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.content import MOST_RECIPIENTS, read_content


async def test_the_content_is_what_its_producer_wrote(engine: Engine, db: Db) -> None:
    """Of many recipients the first; the channels are its own, or else those of its workflow."""
    workflow = a_workflow(
        db, workflow_type="DYNAMIC", default_channels="{EMAIL,SMS}", template_overrides={"EMAIL": "mail"}
    )
    recipients = [f"s-{number}" for number in range(MOST_RECIPIENTS + 1)]
    made = a_notification(db, workflow=workflow, payload={"order": 42}, recipients=recipients)
    found = await read_content(engine, made)
    assert found is not None
    assert (found.payload, found.recipient_count) == ('{\n    "order": 42\n}', MOST_RECIPIENTS + 1)
    assert found.recipients == recipients[:MOST_RECIPIENTS]
    assert found.channels == [Channel.EMAIL, Channel.SMS]
    assert found.templates == {Channel.EMAIL: "mail", Channel.SMS: ""}
    chosen = await read_content(engine, a_notification(db, workflow=workflow, channels="{PUSH}"))
    assert chosen is not None
    assert chosen.channels == [Channel.PUSH]
    bare = await read_content(engine, a_notification(db, payload={"long": "x" * 300_000}))
    assert bare is not None
    assert (bare.payload, bare.channels, bare.workflow_key) == (None, [], None)
    assert await read_content(engine, 10**12) is None
