"""What each view gets: the pools, who may look, and how an answer is made."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from xnovu_poller.store.engine import Engine
from xnovu_poller.store.fitness import find_missing_grant
from xnovu_poller.web.page.access import Access, Viewer
from xnovu_poller.web.page.forms import COOKIE, read_form, token_of
from xnovu_poller.web.page.outside import Outside
from xnovu_poller.web.page.rendering import render

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that all views share.

    Attributes:
        reader: the pool of the page, which only reads; no view reads with another.
        actor: the pool that changes rows with the worker's role; None where nobody may act.
        outside: how to ask Temporal and Novu.
    """

    reader: Engine
    actor: Engine | None
    access: Access
    outside: Outside = field(default_factory=Outside)

    def require_actor(self) -> Engine:
        """Return the pool that changes rows.

        Raises:
            HTTPException: nobody may act here.
        """
        if self.actor is None:
            raise HTTPException(403, _ONLY_SHOWS)
        return self.actor

    def show(
        self,
        request: Request,
        template: str,
        *,
        active: str = "",
        status: int = 200,
        **values: Any,  # noqa: ANN401 - what the template names
    ) -> Response:
        """Answer with a page.

        Args:
            template: a file in `templates/`.
            active: the address of the view in the navigation.
            values: what the template names.
        """
        viewer: Viewer | None = getattr(request.state, "viewer", None)
        token = token_of(request)
        shared = {"viewer": viewer, "active": active, "form_token": token, "has_login": self.access.has_login}
        response = HTMLResponse(render(template, shared | values), status)
        if request.cookies.get(COOKIE) != token:
            self.access.set_cookie(request, response, COOKIE, token)
        return response

    def show_problem(self, request: Request, status: int, what: str) -> Response:
        """Answer with a page that names a fault."""
        title = HTTPStatus(status).phrase
        return self.show(request, "problem.html", status=status, title=title, what=what)


_ONLY_SHOWS = "this page only shows: set OPERATOR_ROLE=operator to act here"

View = Callable[[Desk, Request], Awaitable[Response]]
Act = Callable[[Desk, Request, FormData], Awaitable[Response]]


def look(desk: Desk, view: View) -> Endpoint:
    """Return the endpoint of a view: only people who are known get it."""

    async def endpoint(request: Request) -> Response:
        if (stranger := await _know(desk, request)) is not None:
            return stranger
        began = time.perf_counter()
        response = await view(desk, request)
        response.headers["server-timing"] = f"page;dur={(time.perf_counter() - began) * 1000:.1f}"
        return response

    return endpoint


def act(desk: Desk, change: Act, *, is_read: bool = False) -> Endpoint:
    """Return the endpoint of a form: only people who may act, and only from a form of this page.

    Args:
        is_read: the form changes nothing, such as a preview, so a reader may send it too.
    """

    async def endpoint(request: Request) -> Response:
        if (stranger := await _know(desk, request)) is not None:
            return stranger
        form = await read_form(request)
        if not is_read and not (request.state.viewer.may_act and desk.actor is not None):
            raise HTTPException(403, request.state.viewer.missing_grant or _ONLY_SHOWS)
        return await change(desk, request, form)

    return endpoint


async def _know(desk: Desk, request: Request) -> Response | None:
    """Find out who looks; return the answer for a stranger."""
    viewer = desk.access.find_viewer(request)
    if viewer is not None:
        if viewer.may_act and (grant := await find_missing_grant(desk.reader)) is not None:
            viewer = Viewer(viewer.name, may_act=False, missing_grant=grant)
        request.state.viewer = viewer
        return None
    if not desk.access.has_login:
        return desk.show_problem(
            request, 403, "Nobody is named: reach this page through the proxy that logs people in."
        )
    if request.method == "GET" and "text/event-stream" not in request.headers.get("accept", ""):
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(back, safe='')}", 303)
    return desk.show_problem(request, 401, "Your session is over: log in again.")
