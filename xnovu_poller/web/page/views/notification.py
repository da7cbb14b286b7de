"""One notification: its way through the states, why it is where it is, and what comes next; its content if somebody asks."""

import re
from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import pairwise

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from xnovu_poller.delivery.preview import Texts, preview
from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import Language, Status
from xnovu_poller.settings.languages import choose_locale
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.enterprises import read_enterprises
from xnovu_poller.store.notifications.actions import describe_act
from xnovu_poller.store.notifications.by_operator import RETRACTABLE, REVIVABLE
from xnovu_poller.store.notifications.content import Content, read_content
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.life import read_life
from xnovu_poller.store.templates import TemplateKey
from xnovu_poller.story import Line, Story, compose_story
from xnovu_poller.story.way import list_moves
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer
from xnovu_poller.templates.variables import Occasion, list_variables, read_json
from xnovu_poller.web.page import journey
from xnovu_poller.web.page.acts import Acts
from xnovu_poller.web.page.desk import Desk, act, look
from xnovu_poller.web.page.views.notifications import build_action
from xnovu_poller.web.row_id import row_id

FRAME_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
"""A mail is a tenant's: in its frame nothing runs, and nothing is fetched."""

_ENDED = (Status.SENT, Status.DEAD, Status.RETRACTED)
_CACHED_BYTES = 4 << 20


def routes(desk: Desk, acts: Acts) -> list[Route]:
    """Return the addresses of one notification."""
    renderer = Renderer(_CACHED_BYTES)
    return [
        Route(f"/notifications/{row_id('id')}", look(desk, partial(show, acts))),
        Route(f"/notifications/{row_id('id')}/content", look(desk, partial(show_content, renderer))),
        Route(f"/notifications/{row_id('id')}/words/{{channel}}", look(desk, partial(show_words, renderer))),
        Route(
            f"/notifications/{row_id('id')}/{{action}}", act(desk, partial(change, acts)), methods=["POST"]
        ),
    ]


async def show(acts: Acts, desk: Desk, request: Request) -> Response:
    """Show the life of a notification; with `?ask=yes` also what Temporal and Novu know."""
    life = await read_life(desk.reader, request.path_params["id"])
    if life is None:
        raise HTTPException(404, "No notification has this id: retention has deleted it, or it never was.")
    asks = request.query_params.get("ask") == "yes"
    if asks:
        async with desk.outside.open_sources() as sources:
            story = await compose_story(life, sources)
    else:
        story = await compose_story(life, desk.outside.closed, asks=False)
    moves = list_moves(life)
    can_act = desk.actor is not None and request.state.viewer.may_act
    line = request.query_params.get("act", "")
    return desk.show(
        request,
        "notification.html",
        active="/notifications",
        life=life,
        story=story,
        lines=_add_gaps(story),
        moves=moves,
        drawing=journey.draw(moves, life.status),
        asks=asks,
        changes="" if asks or life.status in _ENDED else "ent_notification ent_notification_delivery",
        effects=acts.find_effects(int(line)) if re.fullmatch("[0-9]{1,19}", line) else [],
        can_retract=can_act and life.status in RETRACTABLE and life.retract_requested_at is None,
        can_revive=can_act and life.status in REVIVABLE,
    )


def _add_gaps(story: Story) -> list[tuple[Line, float | None]]:
    """Return the lines, each with the seconds since the line before; None where a time is not known."""
    gaps: list[float | None] = [None]
    for before, line in pairwise(story.lines):
        known = before.at is not None and line.at is not None
        gaps.append((line.at - before.at).total_seconds() if known else None)  # type: ignore[operator] # `known`
    return list(zip(story.lines, gaps, strict=False))


async def change(acts: Acts, desk: Desk, request: Request, form: FormData) -> Response:
    """Retract or revive one notification."""
    id_ = request.path_params["id"]
    action = build_action(request.path_params["action"], form)
    described = describe_act(action, request.state.viewer.name, Filters(), 1, ids=[id_], via="page")
    actor = desk.require_actor()
    line = await acts.start(actor, action, described, _once([id_]), action.states, at_once=True)
    await acts.finish(line)
    return RedirectResponse(f"/notifications/{id_}?act={line}", 303)


async def _once(ids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    yield ids


async def show_content(renderer: Renderer, desk: Desk, request: Request) -> Response:
    """Show payload, recipients and words. They are personal data, so they are shown on request only, and logged nowhere."""
    content = await _require_content(desk.reader, request)
    texts = await _render(renderer, desk, content)
    rendered = {channel: text for channel, text in texts.items() if isinstance(text, Rendered)}
    return desk.show(
        request,
        "content.html",
        active="/notifications",
        content=content,
        texts=rendered,
        failed={channel: str(text) for channel, text in texts.items() if channel not in rendered},
    )


async def show_words(renderer: Renderer, desk: Desk, request: Request) -> Response:
    """Answer with the body of a channel, for a frame."""
    content = await _require_content(desk.reader, request)
    text = (await _render(renderer, desk, content)).get(request.path_params["channel"])
    if not isinstance(text, Rendered):
        raise HTTPException(404)
    return HTMLResponse(
        text.body, headers={"content-security-policy": FRAME_POLICY, "x-frame-options": "SAMEORIGIN"}
    )


async def _require_content(engine: Engine, request: Request) -> Content:
    content = await read_content(engine, request.path_params["id"])
    if content is None:
        raise HTTPException(404)
    return content


async def _render(renderer: Renderer, desk: Desk, content: Content) -> Texts:
    """Render what a worker would render now; nothing if Novu holds all texts, or the payload is too large."""
    if content.payload is None or not content.templates:
        return {}
    enterprise = (await read_enterprises(desk.reader, [content.enterprise_id]))[content.enterprise_id]
    default = desk.outside.language
    language = Language(
        choose_locale(default.locale, content.locale, enterprise.locale),
        content.time_zone or enterprise.time_zone or default.time_zone,
    )
    occasion = Occasion(
        content.enterprise_id,
        enterprise.name,
        enterprise.brand,
        content.workflow_key or "",
        content.workflow_name,
        content.id,
        content.name,
        content.due_at,
        content.scheduled_for,
        content.fired_at,
    )
    keys = {
        channel: TemplateKey(content.enterprise_id, key, channel, language.locale)
        for channel, key in content.templates.items()
    }
    try:
        variables = list_variables(occasion, read_json(content.payload))
    except (ValueError, RecursionError, TemplateFailed) as error:
        reason = error if isinstance(error, TemplateFailed) else TemplateFailed("its payload cannot be read")
        return dict.fromkeys(keys, reason)
    return await preview(desk.reader, renderer, keys, variables, language)
