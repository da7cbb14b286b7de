"""Texts that a person looks at, as a worker would render them."""

from tests.support.rows import Db, a_template
from xnovu_poller.delivery.preview import imagine, preview
from xnovu_poller.errors import TemplateFailed, TemplateMissing
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprises import Enterprise
from xnovu_poller.store.templates import TemplateKey
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer
from xnovu_poller.templates.variables import list_variables


async def test_each_channel_has_its_text_or_why_it_has_none(engine: Engine, db: Db) -> None:
    """In the language that fits best, with layouts and partials; the enterprise's own template comes first."""
    a_template(db, key="foot", body_template="by ${enterprise.id}")
    a_template(
        db, key="mail", subject_template="${order}", body_template='<p>${order}, <%include file="foot"/></p>'
    )
    a_template(db, key="mail", enterprise="acme", locale="de", body_template="<p>Nr. ${order}</p>")
    a_template(db, key="short", channel_type="SMS", body_template="${missing}")
    names = {Channel.EMAIL: "mail", Channel.SMS: "short", Channel.PUSH: "", Channel.CHAT: "none"}
    variables = list_variables(imagine(Enterprise("acme"), "mail"), {"order": 42})

    async def show(locale: str) -> dict[Channel, object]:
        keys = {channel: TemplateKey("acme", key, channel, locale) for channel, key in names.items()}
        return dict(await preview(engine, Renderer(), keys, variables, Language(locale, "UTC")))

    english = await show("en")
    assert english[Channel.EMAIL] == Rendered("42", "<p>42, by acme</p>", "42, by acme")
    assert isinstance(english[Channel.SMS], TemplateFailed)
    assert "missing" in str(english[Channel.SMS])
    assert [type(english[channel]) for channel in (Channel.PUSH, Channel.CHAT)] == [TemplateMissing] * 2
    assert (await show("de_CH"))[Channel.EMAIL] == Rendered(None, "<p>Nr. 42</p>", "Nr. 42")
