"""Doctor: the faults that were found, and how to mend each."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from xnovu_poller.doctor.examine import Report, examine_servers
from xnovu_poller.lifecycle import ChoreName
from xnovu_poller.store import chores
from xnovu_poller.store.chores import Chore
from xnovu_poller.store.engine import Engine
from xnovu_poller.web.page.desk import Desk

ADDRESS = "/doctor"

FRESH_SECONDS = 60.0
"""People who ask within this time share an examination."""

LONGEST_SECONDS = 60.0
"""An examination ends after this long."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What an examination found, and when."""

    at: datetime
    report: Report


class Doctor:
    """Examines at a person's request, once a minute at most, however many ask."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._found: tuple[float, Examination] | None = None

    async def examine(self, engine: Engine) -> Examination:
        """Return the examination, or that of a moment ago.

        Raises:
            TimeoutError: it takes too long.
        """
        async with self._asking:
            if self._found is None or time.monotonic() - self._found[0] > FRESH_SECONDS:
                async with asyncio.timeout(LONGEST_SECONDS):
                    report = await examine_servers(engine)
                self._found = time.monotonic(), Examination(datetime.now(UTC), report)
            return self._found[1]

    async def show(self, desk: Desk, request: Request) -> Response:
        """Show what the chore found last, and how the chores go."""
        return await self._show(desk, request, None)

    async def run(self, desk: Desk, request: Request, _form: FormData) -> Response:
        """Examine now, and show the result."""
        try:
            found = await self.examine(desk.require_actor())
        except TimeoutError:
            raise HTTPException(
                504, f"The examination took more than {LONGEST_SECONDS:g} s; run xnovu doctor."
            ) from None
        return await self._show(desk, request, found)

    async def _show(self, desk: Desk, request: Request, examination: Examination | None) -> Response:
        done = await chores.read_all(desk.reader)
        chore = next((each for each in done if each.name == ChoreName.DOCTOR), None)
        return desk.show(
            request,
            "doctor.html",
            active=ADDRESS,
            chores=done,
            chore=chore,
            findings=_findings(chore),
            examination=examination,
            wrong=_count_wrong(examination),
        )


def _findings(chore: Chore | None) -> Sequence[Mapping[str, str]]:
    """Return what the chore found: the code, the fact and what to do."""
    found = [] if chore is None else chore.report.get("findings", [])
    return [
        {
            "code": each["code"],
            "fact": each["sentence"].partition("; ")[0],
            "mend": each["sentence"].partition("; ")[2],
        }
        for each in found
    ]


def _count_wrong(examination: Examination | None) -> int:
    report = {} if examination is None else examination.report
    return sum(not found.is_sound for findings in report.values() for found in findings)
