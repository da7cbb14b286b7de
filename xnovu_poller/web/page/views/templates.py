"""Templates: their faults, and what they make of a payload that a person gives, by channel and language."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.checks.templates import examine_template
from xnovu_poller.delivery.preview import Texts, imagine, preview
from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import Language
from xnovu_poller.settings.languages import check_locale, check_time_zone
from xnovu_poller.store.catalog import TemplateRow, Wanted, find_template, list_templates
from xnovu_poller.store.enterprises import read_enterprises
from xnovu_poller.store.templates import TemplateKey, read_templates
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer
from xnovu_poller.templates.variables import list_variables, read_json
from xnovu_poller.web.page.desk import Desk, act, look
from xnovu_poller.web.page.headers import POLICY
from xnovu_poller.web.page.query import MOST_CHARACTERS, read_wanted
from xnovu_poller.web.row_id import row_id

MAIL_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The frames of a preview inherit the policy of their page, and mails have styles. No script runs in them."""

_CACHED_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What a person has typed into the form of a preview."""

    payload: str = "{}"
    enterprise: str = ""
    locale: str = ""
    time_zone: str = ""


def routes(desk: Desk) -> list[Route]:
    """Return the addresses of the templates."""
    renderer = Renderer(_CACHED_BYTES)
    return [
        Route("/templates", look(desk, show_all)),
        Route(f"/templates/{row_id('id')}", look(desk, show), methods=["GET"]),
        Route(
            f"/templates/{row_id('id')}",
            act(desk, partial(try_out, renderer), is_read=True),
            methods=["POST"],
        ),
    ]


async def show_all(desk: Desk, request: Request) -> Response:
    """Show a page of the templates."""
    wanted = read_wanted(request.query_params)
    found, after = await list_templates(desk.reader, wanted)
    older = {**dict(request.query_params), "after": after} if after else None
    return desk.show(
        request,
        "templates.html",
        active="/templates",
        wanted=wanted,
        templates=found,
        more=older and urlencode(older),
    )


async def show(desk: Desk, request: Request) -> Response:
    """Show a template with its faults, and the form of a preview."""
    row = await _require_template(desk, request)
    return await _show(desk, request, row, Trial(enterprise=row.enterprise_id or "", locale=row.locale or ""))


async def try_out(renderer: Renderer, desk: Desk, request: Request, form: FormData) -> Response:
    """Show what the templates of a key make of a payload, for each channel. The payload is kept nowhere."""
    row = await _require_template(desk, request)
    names = Trial.__dataclass_fields__
    trial = Trial(**{name: str(form.get(name) or "").strip() for name in names})
    try:
        texts: Texts = await _render(renderer, desk, row, trial)
    except ValueError as fault:
        return await _show(desk, request, row, trial, fault=str(fault))
    response = await _show(desk, request, row, trial, texts)
    response.headers["content-security-policy"] = MAIL_POLICY
    return response


async def _show(
    desk: Desk,
    request: Request,
    row: TemplateRow,
    trial: Trial,
    texts: Texts | None = None,
    fault: str | None = None,
) -> Response:
    wanted = TemplateKey(row.enterprise_id or "", row.key, row.channel, row.locale or "")
    text = (await read_templates(desk.reader, [row.id])).get(row.id)
    if text is None:
        raise HTTPException(404, "No template has this id.")
    shown = texts or {}
    return desk.show(
        request,
        "template.html",
        active="/templates",
        row=row,
        text=text,
        findings=await examine_template(desk.reader, wanted) if row.active else None,
        trial=trial,
        fault=fault,
        rendered={channel: each for channel, each in shown.items() if isinstance(each, Rendered)},
        failed={channel: str(each) for channel, each in shown.items() if not isinstance(each, Rendered)},
    )


async def _render(renderer: Renderer, desk: Desk, row: TemplateRow, trial: Trial) -> Texts:
    """Render the published templates of a key, for each of its channels.

    Raises:
        ValueError: the payload, the language or the zone cannot be read; the message names what to write.
    """
    payload = _read_payload(trial.payload)
    if len(trial.enterprise) > MOST_CHARACTERS or "\0" in trial.enterprise:
        raise ValueError("the enterprise is no id")
    enterprise = (await read_enterprises(desk.reader, [trial.enterprise]))[trial.enterprise]
    default = desk.outside.language
    language = Language(
        check_locale(trial.locale) if trial.locale else enterprise.locale or default.locale,
        check_time_zone(trial.time_zone) if trial.time_zone else enterprise.time_zone or default.time_zone,
    )
    rows, _ = await list_templates(desk.reader, Wanted(key=row.key, enterprise=trial.enterprise))
    keys = {
        each.channel: TemplateKey(enterprise.id, row.key, each.channel, language.locale)
        for each in sorted(rows, key=lambda each: each.channel is not row.channel)
        if each.active
    }
    try:
        variables = list_variables(imagine(enterprise, row.key), payload)
    except TemplateFailed as error:
        raise ValueError(str(error)) from None
    return await preview(desk.reader, renderer, keys, variables, language)


def _read_payload(text: str) -> Mapping[str, Any]:
    try:
        payload = read_json(text or "{}")
    except (ValueError, RecursionError):
        raise ValueError('the payload is no JSON; write {"name": "value"}') from None
    if not isinstance(payload, dict):
        raise ValueError('the payload is no object; write {"name": "value"}')  # noqa: TRY004 - a person typed it
    return payload


async def _require_template(desk: Desk, request: Request) -> TemplateRow:
    found = await find_template(desk.reader, request.path_params["id"])
    if found is None:
        raise HTTPException(404, "No template has this id.")
    return found
