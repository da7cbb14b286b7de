"""Whole templates are read and written as people edit them."""

from tests.support.rows import Db, a_template
from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.template_rows import TemplateRow, read_rows, save_rows

OWN = TemplateRow(
    "acme", "welcome", Channel.IN_APP, "Hello\n", "Welcome", "de_CH", "Hi", '{"price": 100.00}', '{"a": "b"}', "html",
    trusted=True, publish_status=PublishStatus.PUBLISH, deactivated=True,
)  # fmt: skip
DRAFT = TemplateRow(None, "welcome", Channel.SMS, "Hello", "welcome")
NEWER = TemplateRow("acme", "welcome", Channel.IN_APP, "Bye", "Welcome", "de_CH")
REFUSED = TemplateRow("acme", "welcome", Channel.SMS, "x" * 65_537, "a")


async def test_what_is_written_is_read(engine: Engine, db: Db) -> None:
    """A template that is the same keeps its version, and a changed one gets another."""
    assert (await save_rows(engine, [OWN, DRAFT], dry_run=False)).outcomes == ["created", "created"]
    versions = db.execute("SELECT updated_at FROM notify.ent_notification_template ORDER BY id").fetchall()

    assert await read_rows(engine, None, published=False) == [DRAFT, OWN]
    assert await read_rows(engine, "globex", published=False) == [DRAFT]
    assert await read_rows(engine, None, published=True) == []
    assert (await save_rows(engine, [OWN, DRAFT, NEWER], dry_run=False)).outcomes == [
        "same",
        "same",
        "changed",
    ]
    assert await read_rows(engine, "acme", published=False) == [DRAFT, NEWER]
    now = db.execute("SELECT updated_at FROM notify.ent_notification_template ORDER BY id").fetchall()
    assert [was == is_ for was, is_ in zip(versions, now, strict=True)] == [False, True]


async def test_all_templates_are_written_or_none(engine: Engine, db: Db) -> None:
    """The sentence of the table is returned."""
    template = a_template(db, enterprise="acme", key="welcome", channel_type="SMS")

    saved = await save_rows(engine, [OWN, REFUSED, DRAFT], dry_run=False)

    assert saved.outcomes == ["created"]
    assert saved.refusal == (
        "template: body_template is null or longer than 65536 characters (ent_notification_template_body_check)."
        " Link to images instead of embedding them."
    )
    assert db.execute("SELECT id FROM notify.ent_notification_template").fetchall() == [{"id": template}]


async def test_a_dry_run_writes_nothing(engine: Engine, db: Db) -> None:
    """It returns what would happen."""
    assert (await save_rows(engine, [OWN, OWN], dry_run=True)).outcomes == ["created", "same"]
    assert await read_rows(engine, None, published=False) == []
