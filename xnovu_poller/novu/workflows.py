"""The calls about Novu's workflows and environments, made by commands and chores, not by deliveries."""

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from xnovu_poller.errors import NovuThrottled, NovuUnanswered, NovuUnavailable, WorkflowRefused
from xnovu_poller.novu import answers
from xnovu_poller.novu.calls import Client, Json

PATIENCE = timedelta(minutes=2)
"""How long a call waits in all for the pauses that Novu asks for."""

PER_PAGE = 50

MOST_PAGES = 200
"""After this many pages, a list has no end."""

WORKFLOWS = "v2/workflows"


class NovuWorkflows:
    """A client of the workflows of one Novu environment, for one event loop. Close it with `aclose`.

    One call runs at a time. If Novu asks for a pause, the call waits for it and is made again; it is not made again
    if Novu may have acted.

    Args:
        url: Novu's address; a path before `/v2` is kept.
        secret_key: the environment's key.
        timeout: the longest duration of one call.
        patience: how long a call waits in all for the pauses that Novu asks for.

    Raises:
        ConfigError: the certificates of the environment cannot be used.
    """

    def __init__(
        self, url: str, secret_key: str, timeout: timedelta, *, patience: timedelta = PATIENCE
    ) -> None:
        self._patience = patience
        self._client = Client(url, secret_key, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def list_keys(self) -> set[str]:
        """Return the identifiers of all workflows of the environment.

        Raises:
            NovuError: Novu does not answer, or not in its form.
        """
        keys: set[str] = set()
        for offset in range(0, MOST_PAGES * PER_PAGE, PER_PAGE):
            page = await self._call("GET", f"{WORKFLOWS}?limit={PER_PAGE}&offset={offset}", "workflows")
            found = {entry["workflowId"] for entry in _read_list(page, "workflows", "workflowId")}
            if found <= keys:
                return keys
            keys |= found
        raise NovuUnanswered("a list without an end")

    async def read(self, key: str) -> Json:
        """Return a workflow as Novu has it.

        Raises:
            WorkflowRefused: it does not exist.
            NovuError: Novu does not answer, or not in its form.
        """
        return _read_workflow(await self._call("GET", _path(key), f"workflow {key}"))

    async def create(self, key: str, document: Json) -> Json:
        """Create a workflow; return it as Novu has it.

        Raises:
            WorkflowRefused: Novu refuses it.
            NovuError: after `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have created it.
        """
        return _read_workflow(await self._call("POST", WORKFLOWS, f"workflow {key}", document))

    async def update(self, key: str, document: Json) -> Json:
        """Replace a workflow; return it as Novu has it.

        Raises:
            WorkflowRefused: Novu refuses it.
            NovuError: after `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have replaced it.
        """
        return _read_workflow(await self._call("PUT", _path(key), f"workflow {key}", document))

    async def list_environments(self) -> list[Json]:
        """Return `_id`, `name` and `identifier` of each environment, and nothing of its keys.

        Raises:
            NovuError: Novu does not answer, or not in its form.
        """
        found = _read_list({"": await self._call("GET", "v1/environments", "environments")}, "", "_id")
        return [{name: entry.get(name) for name in ("_id", "name", "identifier")} for entry in found]

    async def compare(self, source: str, target: str) -> list[Json]:
        """Return what differs between two environments, by resource, as Novu describes it.

        Raises:
            NovuError: Novu does not answer, or not in its form.
        """
        path = f"v2/environments/{quote(target, safe='')}/diff"
        answer = await self._call("POST", path, "diff of environments", {"sourceEnvironmentId": source})
        return _read_list(answer, "resources", "resourceType")

    async def publish(self, source: str, target: str, keys: Collection[str], *, dry_run: bool) -> list[Json]:
        """Copy workflows from one environment to another; return Novu's results by kind of resource.

        Raises:
            NovuError: after `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have copied them.
        """
        body = {
            "sourceEnvironmentId": source,
            "dryRun": dry_run,
            "resources": [{"resourceType": "workflow", "resourceId": key} for key in sorted(keys)],
        }
        path = f"v2/environments/{quote(target, safe='')}/publish"
        return _read_list(await self._call("POST", path, "publish", body), "results", "resourceType")

    async def _call(self, method: str, path: str, subject: str, body: Json | None = None) -> Any:  # noqa: ANN401 - JSON
        """Make a call, again after each pause that Novu asks for, and return the data of the answer."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._patience.total_seconds()
        while True:
            try:
                return await self._call_once(method, path, subject, body)
            except (NovuThrottled, NovuUnavailable) as error:
                unsure = isinstance(error, NovuUnavailable) and error.unsure
                if unsure or error.pause is None or loop.time() + error.pause.total_seconds() > ends:
                    raise
                pause = error.pause
            await asyncio.sleep(pause.total_seconds())

    async def _call_once(self, method: str, path: str, subject: str, body: Json | None) -> Any:  # noqa: ANN401 - JSON
        answer = await self._client.send(method, path, body)
        if answer.status_code not in NOT_ABOUT_A_WORKFLOW and (reason := answers.read_message(answer)):
            raise WorkflowRefused(subject, answer.status_code, reason)
        return answers.read_content(answer)


NOT_ABOUT_A_WORKFLOW = frozenset({401, 403, 429})
"""Statuses that have the same cause for every workflow."""


def _path(key: str) -> str:
    return f"{WORKFLOWS}/{quote(key, safe='')}"


def _read_workflow(content: object) -> Json:
    if isinstance(content, dict) and isinstance(content.get("workflowId"), str) and _can_be_kept(content):
        return {**content, "steps": _read_list(content, "steps", "type")}
    raise NovuUnanswered("malformed answer")


def _can_be_kept(content: Json) -> bool:
    """Return whether PostgreSQL can keep an answer: it has neither NaN nor half a character nor U+0000."""
    try:
        text = json.dumps(content, allow_nan=False, ensure_ascii=False)
        return b"\\u0000" not in text.encode()
    except ValueError:
        return False


def _read_list(content: object, name: str, key: str) -> list[Json]:
    """Return a list of objects that each have a text under a key."""
    entries = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get(key), str) for entry in entries
    ):
        raise NovuUnanswered("malformed answer")
    return entries
