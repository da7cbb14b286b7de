"""The published templates: an enterprise's own, or global templates."""

import pytest

from tests.support.rows import Db, a_template
from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.templates import Template, TemplateKey, read_templates


async def test_an_enterprises_own_template_wins(engine: Engine, db: Db) -> None:
    """It replaces the global template, for this enterprise only."""
    everyones = a_template(db, subject_template="Hi", variables_description={"name": "you"})
    own = a_template(db, enterprise="acme", body_template="Own")
    keys: list[TemplateKey] = [("acme", "parcel", Channel.EMAIL), ("globex", "parcel", Channel.EMAIL)]

    found = await read_templates(engine, [*keys, *keys])

    assert {key: read_template.id for key, read_template in found.items()} == {
        keys[0]: own,
        keys[1]: everyones,
    }
    template = found[keys[1]]
    assert template == Template(everyones, template.version, Channel.EMAIL, "Hi", "Hello", {"name": "you"})


@pytest.mark.parametrize(("publish_status", "deactivated"), [("DRAFT", False), ("PUBLISH", True)])
async def test_an_unpublished_template_hides_no_other(
    engine: Engine, db: Db, publish_status: str, *, deactivated: bool
) -> None:
    """The enterprise's draft does not hide the global template."""
    everyones = a_template(db)
    a_template(db, enterprise="acme", publish_status=publish_status, deactivated=deactivated)
    key: TemplateKey = ("acme", "parcel", Channel.EMAIL)

    assert (await read_templates(engine, [key]))[key].id == everyones


async def test_keys_without_a_template_are_left_out(engine: Engine, db: Db) -> None:
    """Another channel, another key, another enterprise's template."""
    a_template(db, enterprise="globex")
    keys: list[TemplateKey] = [
        ("acme", "parcel", Channel.EMAIL),
        ("globex", "parcel", Channel.SMS),
        ("globex", "letter", Channel.EMAIL),
    ]

    assert await read_templates(engine, keys) == {}
    assert await read_templates(engine, []) == {}


async def test_an_unreadable_time_is_not_read(engine: Engine, db: Db) -> None:
    """A tenant may write any time; the version is the database's."""
    a_template(db, enterprise="acme", updated_at="20000-01-01")

    assert len(await read_templates(engine, [("acme", "parcel", Channel.EMAIL)])) == 1
