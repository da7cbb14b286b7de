"""Workflows: what each needs, what its check found, and whether Novu has it as the rows want it."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.errors import ConfigError, StoreError, XnovuError
from xnovu_poller.lifecycle import WorkflowType
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.settings import NovuSettings
from xnovu_poller.store.catalog import WorkflowRow, list_workflows
from xnovu_poller.store.engine import Engine
from xnovu_poller.sync.apply import Report, synchronise
from xnovu_poller.web.page.desk import Desk, look
from xnovu_poller.web.page.query import read_wanted


def routes(desk: Desk) -> list[Route]:
    """Return the address of the workflows."""
    return [Route("/workflows", look(desk, show))]


async def show(desk: Desk, request: Request) -> Response:
    """Show a page of the workflows; with `?ask=yes` what a sync would do, which Novu knows."""
    wanted = read_wanted(request.query_params)
    found, after = await list_workflows(desk.reader, wanted)
    report, silence = None, None
    if request.query_params.get("ask") == "yes":
        report, silence = await _ask(desk.reader, desk.outside.novu)
    kept = {name: value for name, value in request.query_params.items() if name != "ask"}
    return desk.show(
        request,
        "workflows.html",
        active="/workflows",
        wanted=wanted,
        workflows=[(row, describe_step(row)) for row in found],
        report=report,
        silence=silence,
        ask=urlencode({**kept, "ask": "yes"}),
        more=urlencode({**kept, "after": after}) if after else None,
    )


def describe_step(row: WorkflowRow) -> tuple[str, str]:
    """Return whether Novu follows a row, as far as our last write shows it: a class for the stylesheet, and words."""
    if row.type is WorkflowType.STATIC:
        return "", "people write it in Novu"
    if not row.active:
        return "", "not published"
    if row.written_at is None:
        return "warn", "never written to Novu"
    if row.written_at < row.updated_at:
        return "warn", "changed since it was written"
    return "good", "written"


async def _ask(engine: Engine, settings: NovuSettings | ConfigError) -> tuple[Report | None, str | None]:
    """Return what a sync would do, or why nobody knows."""
    if isinstance(settings, ConfigError):
        return None, str(settings)
    key = settings.novu_secret_key.get_secret_value()
    novu = NovuWorkflows(settings.novu_api_url, key, settings.novu_timeout)
    try:
        return await synchronise(engine, novu, dry_run=True), None
    except StoreError:
        raise
    except XnovuError as error:
        return None, str(error)
    finally:
        await novu.aclose()
