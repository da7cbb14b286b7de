"""The application of the page: its addresses, and what answers to each."""

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from xnovu_poller import log
from xnovu_poller.errors import StoreError
from xnovu_poller.store.changes import read_changes
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.session import PAGE
from xnovu_poller.web.page.access import Access
from xnovu_poller.web.page.acts import Acts
from xnovu_poller.web.page.desk import Desk, act, look
from xnovu_poller.web.page.headers import SafeHeaders
from xnovu_poller.web.page.live import Live, LiveResponse
from xnovu_poller.web.page.outside import Outside
from xnovu_poller.web.page.views import (
    enterprises,
    login,
    notification,
    notifications,
    rules,
    templates,
    workflows,
)
from xnovu_poller.web.page.views.doctor import Doctor
from xnovu_poller.web.page.views.now import Now

_log = log.get(__name__)

WATCHED = (
    "chore",
    "ent_audit",
    "ent_enterprise",
    "ent_enterprise_limit",
    "ent_notification",
    "ent_notification_delivery",
    "ent_notification_rule",
    "ent_notification_template",
    "ent_notification_workflow",
    "pause",
    "workflow_sync",
)
"""The tables that the views name in `data-changes`: a change of one lets an open page read itself again."""

READERS, ACTORS = 6, 2
"""The connections of the two pools; the worker's are others."""


class OperatorPage:
    """The page as an ASGI application, to be mounted at `/`.

    Args:
        database_url: of a login that is a member of xnovu_reader; to act, also of xnovu_worker.
        access: who may look.
        may_act: whether people may change anything.
        outside: how to ask Temporal and Novu.
    """

    def __init__(
        self,
        database_url: str,
        access: Access,
        *,
        may_act: bool = False,
        outside: Outside | None = None,
    ) -> None:
        self._reader = connect(database_url, part="page", size=READERS, kind=PAGE)
        self._actor: Engine | None = None
        if may_act:
            self._actor = connect(database_url, part="page-act", size=ACTORS)
        desk = Desk(self._reader, self._actor, access, outside or Outside())
        self._acts = Acts()
        now = Now(self._reader)
        self._live = Live(now.read)
        self._changes = Live(partial(read_changes, self._reader, WATCHED))
        self.app: ASGIApp = SafeHeaders(_application(desk, now, self._live, self._changes, self._acts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # After `_fail` Starlette raises the bug again, and the server would log its message.
        with suppress(Exception):
            await self.app(scope, receive, send)

    def mount(self, taken: Collection[str] = ()) -> Mount:
        """Return the route of all addresses but those whose first part is taken."""
        return _Rest(self, taken)

    def close_streams(self) -> None:
        """End the open streams, so that a server that stops need not wait for them."""
        self._live.close()
        self._changes.close()

    async def aclose(self) -> None:
        """End the streams and the actions, and close the pools."""
        self.close_streams()
        await self._acts.aclose()
        await self._reader.dispose()
        if self._actor is not None:
            await self._actor.dispose()


class _Rest(Mount):
    """Does not answer for addresses of others, so that a wrong method there is answered by them."""

    def __init__(self, app: ASGIApp, taken: Collection[str]) -> None:
        super().__init__("/", app=app)
        self._taken = frozenset(taken)

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        first = scope["path"].removeprefix("/").split("/")[0] if scope["type"] == "http" else ""
        return (Match.NONE, {}) if first in self._taken else super().matches(scope)


def _application(desk: Desk, now: Now, live: Live, changes: Live, acts: Acts) -> Starlette:
    doctor = Doctor()
    app = Starlette(
        routes=[
            Route("/", look(desk, now.show)),
            Route("/doctor", look(desk, doctor.show), methods=["GET"]),
            Route("/doctor", act(desk, doctor.run), methods=["POST"]),
            Route("/enterprises", look(desk, enterprises.show)),
            Route("/enterprises/pause", look(desk, enterprises.ask_pause), methods=["GET"]),
            Route("/enterprises/pause", act(desk, enterprises.pause), methods=["POST"]),
            Route("/enterprises/resume", act(desk, enterprises.resume), methods=["POST"]),
            Route("/changes", look(desk, partial(_stream, changes))),
            Route("/events", look(desk, partial(_stream, live))),
            *notification.routes(desk, acts),
            *notifications.routes(desk, acts),
            *rules.routes(desk),
            *templates.routes(desk),
            *workflows.routes(desk),
            Route("/login", partial(login.show, desk), methods=["GET"]),
            Route("/login", partial(login.log_in, desk), methods=["POST"]),
            Route("/logout", partial(login.log_out, desk), methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        exception_handlers={
            HTTPException: partial(_refuse, desk),
            StoreError: partial(_wait, desk),
            Exception: partial(_fail, desk),
        },
    )
    # A redirect would lead to the host that the client has named.
    app.router.redirect_slashes = False
    return app


async def _stream(live: Live, _desk: Desk, _request: Request) -> Response:
    return LiveResponse(live)


_NOT_FOUND = "There is nothing at this address."


async def _refuse(desk: Desk, request: Request, error: HTTPException) -> Response:
    what = _NOT_FOUND if error.status_code == 404 and error.detail == "Not Found" else error.detail  # noqa: PLR2004 - HTTP's own number
    return desk.show_problem(request, error.status_code, what)


async def _wait(desk: Desk, request: Request, error: Exception) -> Response:
    response = desk.show_problem(request, 503, str(error))
    response.headers["retry-after"] = "5"
    return response


async def _fail(desk: Desk, request: Request, error: Exception) -> Response:
    # Its message may quote what a tenant wrote.
    log.bug(_log, "operator's page failed", error)
    return desk.show_problem(request, 500, f"A bug: {type(error).__name__}. The log has more.")
