"""The operation on templates: show the texts that they make of a payload."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from xnovu_poller.delivery.preview import imagine, read_sources
from xnovu_poller.errors import TemplateError
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.settings.languages import check_locale, check_time_zone, choose_locale
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.enterprises import Enterprise, read_enterprises
from xnovu_poller.store.templates import TemplateKey
from xnovu_poller.templates.attempt import Failure, attempt
from xnovu_poller.templates.render import TemplateSource
from xnovu_poller.templates.variables import list_variables, read_json
from xnovu_poller.web.api.operation import Answer, Call, Operation, Shape
from xnovu_poller.web.api.problems import Broken, Fault, Problem
from xnovu_poller.web.api.shapes import JsonObject, Key
from xnovu_poller.web.api.sharing import take_share


class Wanted(Shape):
    """Which templates to render, and with what."""

    template_key: Key
    channels: list[Channel] | None = Field(
        default=None, min_length=1, max_length=5, description="all that have a template, if it is left out"
    )
    locale: Annotated[str, AfterValidator(check_locale)] | None = Field(
        default=None, description="such as `de_CH`; the enterprise's, if it is left out"
    )
    time_zone: Annotated[str, AfterValidator(check_time_zone)] | None = Field(
        default=None, description="such as `Europe/Zurich`; the enterprise's, if it is left out"
    )
    payload: JsonObject = Field(default={}, description="its names come before `brand`, `now` and all others")


class Text(Shape):
    """What a channel would show."""

    channel: Channel
    subject: str | None
    body: str
    text: str | None = Field(description="of a mail: its body without HTML")


class Failed(Shape):
    """Why a channel would have no text."""

    channel: Channel
    reason: str
    text: str = Field(description="subject or body")
    part: str | None = Field(description="the layout or partial that is at fault; null: the template itself")
    line: int | None = Field(description="null: the text as a whole is at fault")
    column: int | None


class Texts(Shape):
    """What the templates of a key make of a payload."""

    locale: str
    time_zone: str
    texts: list[Text]
    faults: list[Failed]


async def render_template(call: Call) -> Answer:
    """Render the published templates of a key, as a notification that is due now would. Nothing is sent.

    Raises:
        Problem: there is no such template, or the payload cannot be read.
        StoreUnavailable: PostgreSQL does not answer.
    """
    wanted: Wanted = call.body
    enterprise_id = call.caller.enterprise_id
    enterprise = (await read_enterprises(call.tenant, [enterprise_id]))[enterprise_id]
    default = call.parts.language
    language = Language(
        choose_locale(default.locale, wanted.locale, enterprise.locale),
        wanted.time_zone or enterprise.time_zone or default.time_zone,
    )
    variables = _list_variables(call.raw, wanted.template_key, enterprise)
    keys = [
        TemplateKey(enterprise_id, wanted.template_key, channel, language.locale)
        for channel in dict.fromkeys(wanted.channels or Channel)
    ]
    sources = await read_sources(call.tenant, keys)
    if not sources:
        raise Problem(
            Fault.NOT_FOUND,
            "no template of this key is published for your enterprise, these channels and this language",
        )
    results = [
        (key.channel, await _render(call, sources[key], variables, language))
        for key in keys
        if key in sources
    ]
    return Answer(_gather(results, language))


def _list_variables(raw: str, key: str, enterprise: Enterprise) -> dict[str, Any]:
    """Return all that the templates may name; no number of the payload changes its digits.

    Raises:
        Problem: the payload, or the brand of the enterprise, cannot be read.
    """
    try:
        return list_variables(imagine(enterprise, key), read_json(raw).get("payload") or {})
    except TemplateError as error:
        raise Problem(Fault.CONFLICT, str(error), code=error.code) from None
    except (ValueError, RecursionError):
        detail = "has NaN or Infinity, is nested too deep, or has a number that is too long"
        raise Problem(Fault.INVALID, errors=[Broken("#/payload", detail)]) from None


async def _render(
    call: Call, source: TemplateSource | TemplateError, variables: Mapping[str, Any], language: Language
) -> Any:  # noqa: ANN401 - a text, or why there is none
    """Render a template within the enterprise's share of the processor.

    Raises:
        Problem: the share is used up.
    """
    if isinstance(source, TemplateError):
        return Failure(str(source), "body", None, None, None)
    renderer = call.parts.renderer
    # A piece of its own, so that others come in between.
    await take_share(call, partial(renderer.compile, source))
    return await take_share(call, partial(attempt, renderer, source, variables, language))


def _gather(results: Sequence[tuple[Channel, Any]], language: Language) -> Texts:
    return Texts.model_construct(
        locale=language.locale,
        time_zone=language.time_zone,
        texts=[
            Text.model_construct(channel=channel, subject=each.subject, body=each.body, text=each.text)
            for channel, each in results
            if not isinstance(each, Failure)
        ],
        faults=[
            Failed.model_construct(channel=channel, **each._asdict())
            for channel, each in results
            if isinstance(each, Failure)
        ],
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/templates/render",
        scope=Scope.READ,
        summary="Render the templates of a key with a payload",
        handler=render_template,
        body=TypeAdapter(Wanted),
        answers={200: ("The text of each channel, or why it has none", Texts)},
        faults=(Fault.NOT_FOUND, Fault.CONFLICT),
    ),
)
