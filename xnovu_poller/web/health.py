"""The health of a process: ask all probes together, and combine their answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from xnovu_poller import __version__
from xnovu_poller.errors import XnovuError
from xnovu_poller.web.fresh import Fresh

PROBE_SECONDS = 2.0
"""A probe that takes longer counts as failed."""

Health = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The answer of a probe; `detail` is a sentence without secrets."""

    status: Health
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question about a component, such as "does PostgreSQL answer?".

    Attributes:
        name: the component.
        failed: the health of the component if there is no answer.
    """

    name: str
    ask: Callable[[], Awaitable[ProbeAnswer]]
    failed: Health = "unhealthy"


class HealthReport:
    """Asks all probes at the same time; requests share the answers while they are fresh."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)
        self._pending: dict[str, asyncio.Task[ProbeAnswer]] = {}
        self._answers = Fresh(self._ask_all)
        self._changes: dict[str, tuple[Health, str]] = {}
        self._started = time.monotonic()

    async def read(self) -> dict[str, Any]:
        """Return the health of the process and of each component, and since when a component has its status."""
        answers = await self._answers.read()
        return {
            "status": _worst(answers.values()),
            "uptime": int(time.monotonic() - self._started),
            "version": __version__,
            "timestamp": _now(),
            "components": {
                name: {"status": answer.status, "since": self._changes[name][1], "detail": answer.detail}
                for name, answer in answers.items()
            },
        }

    async def _ask_all(self) -> dict[str, ProbeAnswer]:
        answers = await asyncio.gather(*(self._ask(probe) for probe in self._probes))
        for probe, answer in zip(self._probes, answers, strict=True):
            if probe.name not in self._changes or self._changes[probe.name][0] != answer.status:
                self._changes[probe.name] = answer.status, _now()
        return {probe.name: answer for probe, answer in zip(self._probes, answers, strict=True)}

    async def _ask(self, probe: Probe) -> ProbeAnswer:
        """Wait PROBE_SECONDS for an answer; do not ask again while the last question is still open."""
        pending = self._pending.get(probe.name)
        if pending is None or pending.done():
            pending = self._pending[probe.name] = asyncio.create_task(_answer(probe))
        await asyncio.wait([pending], timeout=PROBE_SECONDS)
        if pending.done() and not pending.cancelled():
            return pending.result()
        # Do not wait until it is cancelled: a server that does not answer may not answer that either.
        pending.cancel()
        return ProbeAnswer(probe.failed, f"no answer within {PROBE_SECONDS:g} s")


async def _answer(probe: Probe) -> ProbeAnswer:
    try:
        return await probe.ask()
    except XnovuError as error:
        return ProbeAnswer(probe.failed, f"{error.code}: {error}")
    except Exception as error:  # noqa: BLE001 - /health answers even if a probe has a bug
        # The message of a foreign error may quote a secret or a payload.
        return ProbeAnswer(probe.failed, type(error).__name__)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _worst(answers: Iterable[ProbeAnswer]) -> Health:
    found = {answer.status for answer in answers}
    if "unhealthy" in found:
        return "unhealthy"
    return "degraded" if "degraded" in found else "healthy"
