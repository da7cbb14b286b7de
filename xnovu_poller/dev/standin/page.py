"""The page that shows what arrived as an inbox: by person and channel, as Novu and a phone would show it."""

import json
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from xnovu_poller.dev.standin import inbox
from xnovu_poller.dev.standin.calls import format_ms
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.faults import Fault, Kind
from xnovu_poller.dev.standin.inbox import Query

HERE = Path(__file__).parent

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# Tenants write the texts, so no script may run and nothing may be fetched. The page has to measure the frame: hence
# `allow-same-origin`, which without `allow-scripts` gives a text nothing.
FRAME_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

ANSWERS: Mapping[str, tuple[str, Fault | None]] = {
    "normal": ("Novu answers", None),
    "down": ("Novu is down: 503", Fault(kind=Kind.STATUS, match="all", times=None, cached=False)),
    "throttling": ("Novu throttles: 429", Fault(kind=Kind.THROTTLE, match="all", times=None)),
    "rejecting": ("Novu rejects each trigger: 400", Fault(kind=Kind.STATUS, status=400, times=None)),
    "silent": ("Novu does not answer", Fault(kind=Kind.HANG_BEFORE_ACCEPT, match="all", times=None)),
}
"""How Novu may answer from now on, for the buttons of the page."""

FAILED_SHOWN = 20
_HIDDEN = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_AGES = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d"))


def routes(environment: Environment, temporal_ui: str | None = None) -> list[Route | Mount]:
    """Return the routes of the page.

    Args:
        environment: the stand-in's memory.
        temporal_ui: the address of Temporal's web interface, to link runs.
    """
    page = Page(environment, temporal_ui)
    return [
        Route("/", page.index, methods=["GET"]),
        Route("/_standin/page/answers/{name}", page.set_answers, methods=["POST"]),
        Route("/_standin/page/{number:int}/event", page.event, methods=["GET"]),
        Route("/_standin/page/{number:int}/body", page.body, methods=["GET"]),
        Mount("/_standin/page", StaticFiles(directory=HERE / "static")),
    ]


class Page:
    """The page and its frames."""

    def __init__(self, environment: Environment, temporal_ui: str | None = None) -> None:
        self._environment = environment
        self._temporal_ui = temporal_ui
        self._started = time.time_ns()
        self._templates = _make_templates()

    async def index(self, request: Request) -> Response:
        """GET the page, or 304 if nothing has changed since the page that the browser has."""
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": self._version()}
        headers |= {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(self.render(request.query_params), headers=headers)

    async def event(self, request: Request) -> Response:
        """GET a trigger as Novu got it, for a frame."""
        trigger = self._environment.ledger.find(request.path_params["number"])
        if trigger is None:
            return Response(status_code=404)
        return self._frame("event.html", event=json.dumps(trigger.body(), indent=2, ensure_ascii=False))

    async def body(self, request: Request) -> Response:
        """GET the text of a channel as a person sees it, for a frame: `?channel=email&person=user-17`."""
        trigger = self._environment.ledger.find(request.path_params["number"])
        query = Query.read(request.query_params)
        if trigger is None:
            return Response(status_code=404)
        entry = inbox.make_entry(trigger, query, self._environment.subscribers.find)
        body = next((message.body for message in entry.messages if message.body), "")
        return self._frame("body.html", body=body)

    async def set_answers(self, request: Request) -> Response:
        """POST: let Novu answer in one of the ways of `ANSWERS`, and return to the page."""
        # Another site's form would send its own origin.
        origin = urlsplit(request.headers.get("Origin", str(request.base_url))).netloc
        if origin != request.url.netloc:
            return Response(status_code=403)
        if request.path_params["name"] not in ANSWERS:
            return Response(status_code=404)
        self._environment.faults.clear()
        _, fault = ANSWERS[request.path_params["name"]]
        if fault is not None:
            self._environment.faults.add(fault.model_copy())
        return RedirectResponse(f"/?{request.url.query}", 303)

    def render(self, given: Mapping[str, str]) -> str:
        """Return the page for a query: `person`, `find`, `enterprise`, `channel`, `before`, `limit`."""
        query, find = Query.read(given), self._environment.subscribers.find
        triggers = self._environment.ledger.triggers()
        people = inbox.find_people(triggers, query, find)
        if query.find and query.person is None and len(people) == 1:
            given = {**given, "person": people[0][0]}
            query = Query.read(given)
        entries, has_older = inbox.find_entries(triggers, query, find)
        failed = self._environment.failed_calls
        return self._templates.get_template("page.html").render(
            query=query,
            entries=entries,
            panels=inbox.group_by_channel(entries) if query.person else {},
            older=_link(given, before=entries[-1].trigger.number) if has_older else None,
            people=people[: inbox.PEOPLE_FOUND],
            more_people=max(0, len(people) - inbox.PEOPLE_FOUND),
            counts=inbox.count_messages(triggers),
            number=len(triggers),
            failed=failed.list()[:FAILED_SHOWN],
            failed_number=failed.number,
            answers={name: label for name, (label, _) in ANSWERS.items()},
            answer=self._read_answer(),
            given=urlencode(dict(given)),
            order=inbox.order_channels,
            link=lambda **changes: _link(given, **changes),
            describe=lambda person: inbox.describe_person(person, find(person) or {}),
            temporal=self._link_temporal,
        )

    def _frame(self, template: str, **values: object) -> Response:
        headers = {"Content-Security-Policy": FRAME_POLICY, "Cache-Control": "no-cache"}
        headers |= {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        return HTMLResponse(self._templates.get_template(template).render(values), headers=headers)

    def _version(self) -> str:
        """Return a name of all that the page shows."""
        environment = self._environment
        parts = (
            self._started,
            environment.ledger.changes,
            environment.failed_calls.number,
            environment.resets,
            self._read_answer(),
        )
        return '"' + "-".join(map(str, parts)) + '"'

    def _read_answer(self) -> str | None:
        """Return how Novu answers, or None if it follows a script of other faults."""
        script = self._environment.faults.to_json()
        for name, (_, fault) in ANSWERS.items():
            if script == ([] if fault is None else [fault.model_dump(mode="json")]):
                return name
        return None

    def _link_temporal(self, notification: int) -> str | None:
        if self._temporal_ui is None:
            return None
        query = quote(f'XnovuNotificationId="{notification}"', safe="")
        return f"{self._temporal_ui.rstrip('/')}/namespaces/default/workflows?query={query}"


def show_hidden(text: str) -> str:
    """Return a text in which control characters and those that change its direction are visible."""
    return "".join(
        f"\\u{ord(character):04x}"
        if character in _HIDDEN
        or (unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t\r")
        else character
        for character in text
    )


def describe_age(then_ms: int) -> str:
    """Return how long ago a time was, in the largest unit."""
    seconds = max(0, int(time.time() - then_ms / 1000))
    return next(f"{seconds // size} {unit} ago" for end, size, unit in _AGES if seconds < end)


def _make_templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if hasattr(value, "__html__") else show_hidden(str(value)),
    )
    made.filters.update(iso=format_ms, age=describe_age, query=urlencode)
    return made


def _link(given: Mapping[str, str], **changes: object) -> str:
    """Return the address of the page with other members in its query; None removes a member, and a change starts anew."""
    kept = {name: value for name, value in given.items() if name not in {"before", *changes}}
    return "/?" + urlencode({**kept, **{name: value for name, value in changes.items() if value is not None}})
