"""Enterprises: their limits, their pauses, and what became of their notifications of the last day."""

from datetime import UTC, datetime, timedelta

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from xnovu_poller.store import pauses, pausing
from xnovu_poller.store.enterprise_states import COUNTED_OF_EACH, list_enterprises
from xnovu_poller.store.pauses import Paused
from xnovu_poller.web.page.desk import Desk

ADDRESS = "/enterprises"

DURATIONS = {
    "": ("until a person resumes it", None),
    "1": ("for an hour", timedelta(hours=1)),
    "4": ("for four hours", timedelta(hours=4)),
    "24": ("for a day", timedelta(days=1)),
}
"""How long a pause may last, by the value of the form."""

_MOST_BYTES, _MOST_CHARACTERS = 255, 1000


async def show(desk: Desk, request: Request) -> Response:
    """Show a page of enterprises, and all pauses."""
    prefix = _clean(request.query_params.get("enterprise", ""))
    after = _clean(request.query_params.get("after", ""))
    found, next_after = await list_enterprises(desk.reader, prefix=prefix, after=after)
    return desk.show(
        request,
        "enterprises.html",
        active=ADDRESS,
        prefix=prefix,
        after=after,
        next_after=next_after,
        enterprises=found,
        pauses=await pauses.read_all(desk.reader),
        most=COUNTED_OF_EACH,
    )


async def ask_pause(desk: Desk, request: Request) -> Response:
    """Show the form that pauses."""
    query = request.query_params
    return _ask(desk, request, query.get("enterprise", ""), query.get("workflow", ""))


async def pause(desk: Desk, request: Request, form: FormData) -> Response:
    """Pause what the form names."""
    enterprise, workflow, reason = (
        str(form.get(name, "")).strip() for name in ("enterprise", "workflow", "reason")
    )
    faults = list(_find_faults(enterprise, workflow, reason))
    if (lasts := str(form.get("lasts", ""))) not in DURATIONS:
        faults = ["Choose how long it lasts."]
    paused = Paused(enterprise or None, workflow or None)
    if not faults and workflow and not await pauses.has_workflow(desk.reader, paused):
        faults = [f"No workflow has the key {workflow}."]
    if faults:
        return _ask(desk, request, enterprise, workflow, reason, faults[0])
    _, span = DURATIONS[lasts]
    ends_at = None if span is None else datetime.now(UTC) + span
    actor = desk.require_actor()
    await pausing.pause(actor, paused, reason=reason, actor=request.state.viewer.name, ends_at=ends_at)
    return RedirectResponse(f"{ADDRESS}#pauses", 303)


async def resume(desk: Desk, request: Request, form: FormData) -> Response:
    """End the pause that the form names."""
    enterprise, workflow = (str(form.get(name, "")) or None for name in ("enterprise", "workflow"))
    ended = await pausing.resume(
        desk.require_actor(), Paused(enterprise, workflow), actor=request.state.viewer.name
    )
    if ended is None:
        raise HTTPException(
            409, "There is no such pause any more: it has ended, or somebody else has ended it."
        )
    return RedirectResponse(f"{ADDRESS}#pauses", 303)


def _ask(
    desk: Desk, request: Request, enterprise: str, workflow: str, reason: str = "", fault: str = ""
) -> Response:
    return desk.show(
        request,
        "pause.html",
        active=ADDRESS,
        status=400 if fault else 200,
        enterprise=enterprise,
        workflow=workflow,
        reason=reason,
        fault=fault,
        durations={value: words for value, (words, _) in DURATIONS.items()},
    )


def _find_faults(enterprise: str, workflow: str, reason: str) -> list[str]:
    faults = {
        "Name an enterprise or a workflow: to pause everything, use the command xnovu pause.": not enterprise
        + workflow,
        "Write why: everybody who sees the pause sees it.": not reason,
        f"The reason is longer than {_MOST_CHARACTERS} characters.": len(reason) > _MOST_CHARACTERS,
        "The name is longer than an enterprise or a key can be.": max(
            len(enterprise.encode()), len(workflow.encode())
        )
        > _MOST_BYTES,
    }
    return [fault for fault, is_so in faults.items() if is_so]


def _clean(text: str) -> str:
    """Return what PostgreSQL accepts as text."""
    return text.replace("\0", "")[:_MOST_BYTES]
