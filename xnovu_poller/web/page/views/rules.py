"""Rules: when each fires, in words and as times; how its last firings ended; fire, pause and resume it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from xnovu_poller.errors import RuleInvalid, StoreError, XnovuError
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.rules.advice import advise
from xnovu_poller.rules.preview import PreviewTime, find_next_firing, list_next
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.rules.words import describe_times
from xnovu_poller.store import audit, rules
from xnovu_poller.store.audit import Act
from xnovu_poller.store.catalog import list_rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.firing import find_made
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import list_page
from xnovu_poller.store.rules import Rule
from xnovu_poller.store.workflows import read_workflows
from xnovu_poller.web.page.desk import Desk, act, look
from xnovu_poller.web.page.query import read_wanted
from xnovu_poller.web.row_id import row_id

COMING = 5
LATEST = 10
LIST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Times:
    """When a rule fires; `fault` has why its row cannot be served."""

    words: str
    fault: str | None
    timing: Timing | None


def routes(desk: Desk) -> list[Route]:
    """Return the addresses of the rules."""
    return [
        Route("/rules", look(desk, show_all)),
        Route(f"/rules/{row_id('id')}", look(desk, show)),
        Route(f"/rules/{row_id('id')}/{{action}}", act(desk, change), methods=["POST"]),
    ]


async def show_all(desk: Desk, request: Request) -> Response:
    """Show a page of the rules."""
    wanted = read_wanted(request.query_params)
    found, after = await list_rules(desk.reader, wanted)
    now = datetime.now(UTC)
    shown = [(rule, times := read_times(rule), find_next(rule, times, now)) for rule in found]
    older = {**dict(request.query_params), "after": after} if after else None
    return desk.show(
        request,
        "rules.html",
        active="/rules",
        wanted=wanted,
        rules=shown,
        more=older and urlencode(older),
    )


def read_times(rule: Rule) -> Times:
    """Return when a rule fires, in words."""
    if rule.config_fault is not None:
        return Times("", f"trigger_config {rule.config_fault}", None)
    try:
        timing = read_timing(rule.trigger, rule.config)
        return Times(describe_times(rule.trigger, rule.config), None, timing)
    except RuleInvalid as error:
        return Times("", f"{error.path}: {error.reason}", None)


def find_next(rule: Rule, times: Times, now: datetime) -> datetime | None:
    """Return when a rule fires next, in its zone; None if it does not."""
    if times.timing is None or not rule.active or rule.status in {RuleStatus.DONE, RuleStatus.FAILED}:
        return None
    at = find_next_firing(times.timing, now)
    return None if at is None else at.astimezone(ZoneInfo(times.timing.shown_in))


async def show(desk: Desk, request: Request) -> Response:
    """Show a rule; with `?fired=` what became of the firing that a person has requested."""
    rule = await _require_rule(desk.reader, request)
    times = read_times(rule)
    problems = await rules.find_problems(desk.reader, [rule.id])
    workflows = await read_workflows(desk.reader, [rule.workflow_id])
    made = await list_page(
        desk.reader, Filters(enterprise=rule.enterprise_id, rule=rule.id), LATEST, seconds=LIST_SECONDS
    )
    fired = request.query_params.get("fired")
    return desk.show(
        request,
        "rule.html",
        active="/rules",
        rule=rule,
        workflow=workflows.get(rule.workflow_id),
        times=times,
        coming=_list_coming(rule, times),
        problems=[problem.reason for problem in problems],
        advice=[] if times.timing is None else advise(rule.trigger, rule.config),
        made=made.notifications,
        fired=fired,
        fired_id=await find_made(desk.reader, rule.enterprise_id, fired) if fired else None,
        can_act=desk.actor is not None and request.state.viewer.may_act,
    )


def _list_coming(rule: Rule, times: Times) -> list[PreviewTime]:
    if times.timing is None or rule.status is RuleStatus.DONE:
        return []
    return list_next(times.timing, datetime.now(UTC), COMING)


async def change(desk: Desk, request: Request, _form: FormData) -> Response:
    """Pause, resume or fire a rule."""
    action = request.path_params["action"]
    if action not in {"pause", "resume", "fire"}:
        raise HTTPException(404)
    rule = await _require_rule(desk.reader, request)
    actor = desk.require_actor()
    chosen = {"rule": rule.id, "via": "page"}
    described = Act(
        action=f"{action} rule",
        actor=request.state.viewer.name,
        enterprise=rule.enterprise_id,
        filters=chosen,
        counted=1,
    )
    line = await audit.start(actor, described)
    back = f"/rules/{rule.id}"
    if action == "fire":
        back += f"?{urlencode({'fired': await _fire(desk, actor, rule)})}"
        await audit.finish(actor, line)
    else:
        is_done = await rules.set_deactivated(actor, rule.id, deactivated=action == "pause")
        await audit.finish(actor, line, int(is_done))
    return RedirectResponse(back, 303)


async def _fire(desk: Desk, actor: Engine, rule: Rule) -> str:
    """Fire a rule, and return the id of its run."""
    try:
        return await desk.outside.fire(actor, rule)
    except StoreError:
        raise
    except XnovuError as error:
        raise HTTPException(503, f"The rule was not fired, or nobody knows: {error}") from error


async def _require_rule(engine: Engine, request: Request) -> Rule:
    found = await rules.read(engine, request.path_params["id"])
    if found is None:
        raise HTTPException(404, "No rule has this id.")
    return found
