"""Notifications: find them by filters, and retract or revive all that are shown."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.notifications.actions import (
    Action,
    build_retract,
    build_revive,
    describe_act,
    read_ids,
)
from xnovu_poller.store.notifications.day import COUNTED_OF_EACH, SPAN, STEP, Step, read_day
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import list_page
from xnovu_poller.store.notifications.walk import count
from xnovu_poller.web.page import charts, query
from xnovu_poller.web.page.acts import Acts
from xnovu_poller.web.page.desk import Desk, act, look
from xnovu_poller.web.row_id import row_id

SHOWN = 50
LIST_SECONDS, SEARCH_SECONDS = 0.1, 0.5
"""No index serves all filters: a page ends after this time, and shows how to go on; a search that goes on has more."""

MOST_NAMED = 8
LONGEST_REASON = 1_000


def routes(desk: Desk, acts: Acts) -> list[Route]:
    """Return the addresses of the list and of the actions on all that it shows."""
    return [
        Route("/notifications", look(desk, show)),
        Route("/notifications/{action}", look(desk, confirm), methods=["GET"]),
        Route("/notifications/{action}", act(desk, partial(begin, acts)), methods=["POST"]),
        Route(f"/acts/{row_id('line')}", look(desk, partial(show_act, acts))),
    ]


async def show(desk: Desk, request: Request) -> Response:
    """Show a page of the list; a number in `id` leads to that notification."""
    given = request.query_params
    filters, faults = query.read_filters(given)
    if given.get("id", "").strip():
        try:
            return RedirectResponse(f"/notifications/{query.read_id(given['id'].strip())}", 303)
        except query.Unreadable as fault:
            faults.append(f"id: {fault}")
    at = query.read_position(given)
    seconds = SEARCH_SECONDS if at else LIST_SECONDS
    listing = await list_page(desk.reader, filters, SHOWN, at, seconds=seconds)
    day = await read_day(desk.reader, filters.enterprise) if filters.enterprise and not at else []
    after = query.write_position(listing.after)
    is_cut = listing.after is not None and len(listing.notifications) < SHOWN
    return desk.show(
        request,
        "notifications.html",
        active="/notifications",
        given=given,
        faults=faults,
        states=tuple(Status),
        listing=listing,
        day=day and _draw_day(day),
        most=COUNTED_OF_EACH,
        enterprise=filters.enterprise,
        is_cut=is_cut,
        # A search costs more than a look, and the later pages of a list stay as they are.
        changes="" if is_cut or at else "ent_notification",
        seconds=seconds,
        older=query.with_place(given, after) if after else None,
        newest=query.with_place(given, None) if given.get("after") else None,
        chosen=urlencode(query.write_filters(filters)),
    )


def _draw_day(day: Sequence[Step]) -> dict[str, Any]:
    """Return the chart of an enterprise's day, and its sums."""
    columns = STEP * charts.WIDTH // SPAN

    def points(kind: str) -> dict[datetime, float]:
        return {
            step.began_at + STEP / columns * column: getattr(step, kind)
            for step in day
            for column in range(columns)
        }

    kinds = ("inserted", "sent", "dead")
    series = [charts.Series(kind, points(kind)) for kind in kinds]
    chart = charts.draw("Inserted in twenty minutes", series, end=datetime.now(UTC), span=SPAN, gaps=False)
    return {"chart": chart} | {kind: sum(getattr(step, kind) for step in day) for kind in kinds}


async def confirm(desk: Desk, request: Request) -> Response:
    """Count what an action would change, and ask; the filters are frozen, so that nothing is added meanwhile."""
    action = _find_action(request, request.query_params)
    filters, faults = query.read_filters(request.query_params)
    if faults:
        raise HTTPException(400, "; ".join(faults))
    states = _choose_states(action, filters)
    counted, frozen = await count(desk.reader, replace(filters, states=states))
    return desk.show(
        request,
        "confirm.html",
        active="/notifications",
        action=action,
        counted=counted,
        enterprises=counted.by_enterprise.most_common(MOST_NAMED),
        frozen=query.write_filters(frozen),
        words=list(query.describe_filters(frozen)),
        left_out=[state for state in filters.states if state not in states],
        back=urlencode(query.write_filters(filters)),
        can_act=desk.actor is not None and request.state.viewer.may_act,
    )


async def begin(acts: Acts, desk: Desk, request: Request, form: FormData) -> Response:
    """Begin an action on all that the confirmation has counted."""
    filters, faults = query.read_filters(form)
    try:
        counted = query.read_id(str(form.get("counted", "")))
    except query.Unreadable:
        counted = 0
    # A filter that cannot be read would let the action change more than was shown.
    frozen = filters.until and filters.ended
    if faults or not filters.states or not frozen or not counted:
        raise HTTPException(400, "the confirmation cannot be read; open the list again")
    action = _find_action(request, form)
    described = describe_act(action, request.state.viewer.name, filters, counted, via="page")
    actor = desk.require_actor()
    line = await acts.start(actor, action, described, read_ids(actor, filters), filters.states)
    return RedirectResponse(f"/acts/{line}", 303)


async def show_act(acts: Acts, desk: Desk, request: Request) -> Response:
    """Show how an action goes on."""
    line = request.path_params["line"]
    done = await audit.read(desk.reader, line)
    if done is None:
        raise HTTPException(404)
    return desk.show(
        request,
        "act.html",
        active="/notifications",
        line=line,
        done=done,
        effects=acts.find_effects(line),
        is_running=acts.is_running(line),
        is_waiting=acts.is_waiting(line),
    )


def _find_action(request: Request, given: FormData | QueryParams) -> Action[Any]:
    """Return the action that the address names."""
    return build_action(request.path_params["action"], given)


def build_action(name: str, given: FormData | QueryParams) -> Action[Any]:
    """Return the action of this name.

    Raises:
        HTTPException: there is none of this name, or its reason is too long.
    """
    if name == "retract":
        reason = str(given.get("reason") or "").strip() or "retracted"
        if len(reason) > LONGEST_REASON:
            raise HTTPException(400, f"the reason is longer than {LONGEST_REASON} characters")
        return build_retract(reason)
    if name == "revive":
        return build_revive(force=bool(given.get("force")))
    raise HTTPException(404)


def _choose_states(action: Action[Any], filters: Filters) -> tuple[Status, ...]:
    """Return the states that are shown and that the action can change."""
    wanted = tuple(state for state in filters.states if state in action.states)
    if filters.states and not wanted:
        possible = ", ".join(action.states)
        raise HTTPException(
            400, f"none of the states that are shown can be {action.done}; choose some of {possible}"
        )
    return wanted or action.default
