"""The published templates: an enterprise's own or global, in the language that fits best, with what they use."""

import pytest

from tests.support.rows import Db, a_template
from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.templates import (
    MOST_PARTS,
    Template,
    TemplateKey,
    fallbacks,
    read_templates,
    read_versions,
)


def key(
    enterprise: str = "acme", name: str = "parcel", channel: Channel = Channel.EMAIL, locale: str = "en"
) -> TemplateKey:
    """Return the key of what a notification needs."""
    return TemplateKey(enterprise, name, channel, locale)


async def chosen(engine: Engine, *keys: TemplateKey) -> list[int | None]:
    """Return the id of the template of each key; None if it has none."""
    found = await read_versions(engine, keys)
    return [found[each][each.key].id if each in found else None for each in keys]


async def test_an_enterprises_own_template_wins(engine: Engine, db: Db) -> None:
    """It replaces the global template, for this enterprise only, even if that fits the language better."""
    everyones, own = a_template(db), a_template(db, enterprise="acme")
    english = a_template(db, locale="en")

    assert await chosen(engine, key(), key("globex"), key("globex", locale="de")) == [own, english, everyones]


async def test_the_language_that_fits_best_wins(engine: Engine, db: Db) -> None:
    """A country's, then the language's, then the template for any."""
    ids = {locale: a_template(db, locale=locale) for locale in (None, "de", "de_CH")}
    wanted = {"de_CH": "de_CH", "de-CH": "de_CH", "de_AT": "de", "de": "de", "fr_CH": None}

    found = await chosen(engine, *(key(locale=locale) for locale in wanted))

    assert found == [ids[locale] for locale in wanted.values()]
    assert fallbacks("zh_Hant_TW") == ["zh_Hant_TW", "zh_Hant", "zh", ""]


@pytest.mark.parametrize(("publish_status", "deactivated"), [("DRAFT", False), ("PUBLISH", True)])
async def test_an_unpublished_template_hides_no_other(
    engine: Engine, db: Db, publish_status: str, *, deactivated: bool
) -> None:
    """The enterprise's draft does not hide the global template."""
    everyones = a_template(db)
    a_template(db, enterprise="acme", publish_status=publish_status, deactivated=deactivated)

    assert await chosen(engine, key()) == [everyones]


async def test_keys_without_a_template_are_left_out(engine: Engine, db: Db) -> None:
    """Another channel, another key, another language, another enterprise's template."""
    a_template(db, enterprise="globex", locale="de")
    keys = [key(), key("globex", channel=Channel.SMS), key("globex", "letter"), key("globex", locale="fr")]

    assert await read_versions(engine, keys) == {}
    assert await read_versions(engine, []) == {}


async def test_a_template_comes_with_all_that_it_uses(engine: Engine, db: Db) -> None:
    """Also those of its subject. Each is chosen like the template itself; a missing part is left out, and a circle ends."""
    names = {
        "parcel": '<%inherit file="frame"/><%include file="part"/><%include file="missing"/>',
        "frame": '<%inherit file="frame"/><%include file="foot"/>',
        "part": "a part",
        "foot": '<%inherit file="parcel"/>',
        "sender": "a name",
    }
    ids = {name: a_template(db, key=name, body_template=body) for name, body in names.items()}
    db.execute(
        "UPDATE notify.ent_notification_template SET subject_template = %s WHERE template_key = 'parcel'",
        ["News from <%include file='sender'/>"],
    )
    ids["part"] = a_template(db, enterprise="acme", key="part", body_template="ours")
    ids["foot"] = a_template(db, key="foot", locale="en", body_template="no circle")
    a_template(db, key="missing", channel_type="SMS")

    [found] = (await read_versions(engine, [key()])).values()

    assert {name: version.id for name, version in found.items()} == ids


def test_a_row_keeps_all_that_its_texts_may_name(db: Db) -> None:
    """Each names 32 at most."""
    texts = ["".join(f'<%include file="{name}{n}"/>' for n in range(32)) for name in "ab"]

    found = db.execute("SELECT cardinality(notify.template_uses(%s, %s)) AS count", texts).fetchone()

    assert found == {"count": 64}


async def test_a_template_that_uses_too_much_costs_no_more(engine: Engine, db: Db) -> None:
    """A chain of templates is followed only as far as is needed to refuse it."""
    for number in range(MOST_PARTS + 10):
        a_template(db, key=f"p{number}", body_template=f'<%include file="p{number + 1}"/>')

    [found] = (await read_versions(engine, [key(name="p0")])).values()

    assert len(found) == MOST_PARTS + 2


async def test_a_version_changes_with_its_row(engine: Engine, db: Db) -> None:
    """So a text that was read before is used only as long as the row is the same."""
    made = a_template(db, subject_template="Hi", defaults={"name": "you"})
    [before] = (await read_versions(engine, [key()])).values()

    db.execute("UPDATE notify.ent_notification_template SET trusted = true")

    [after] = (await read_versions(engine, [key()])).values()
    assert before["parcel"].id == after["parcel"].id == made
    assert before != after
    assert await read_templates(engine, [made]) == {
        made: Template(
            after["parcel"], None, Channel.EMAIL, "Hi", "Hello", '{"name": "you"}', None, trusted=True
        )
    }
    assert await read_templates(engine, [made + 1]) == {}


async def test_a_version_has_the_bytes_of_its_texts(engine: Engine, db: Db) -> None:
    """So a template that is too large can be refused before it is in the worker's memory."""
    a_template(db, subject_template="für", body_template="x" * 5_000, defaults={"a": "y" * 5_000})

    [found] = (await read_versions(engine, [key()])).values()

    assert found["parcel"].size == 4 + 5_000 + 5_000 + len('{"a": ""}')


async def test_many_templates_are_read_in_parts(engine: Engine, db: Db) -> None:
    """A group may need hundreds."""
    ids = [a_template(db, key=f"parcel-{number}") for number in range(120)]

    assert await chosen(engine, *(key(name=f"parcel-{number}") for number in range(120))) == ids
    assert (await read_templates(engine, ids)).keys() == set(ids)


async def test_an_unreadable_time_is_not_read(engine: Engine, db: Db) -> None:
    """A tenant may write any time; the version is the database's."""
    made = a_template(db, enterprise="acme", updated_at="20000-01-01")

    assert await chosen(engine, key()) == [made]
