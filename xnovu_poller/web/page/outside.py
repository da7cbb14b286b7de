"""What the page asks beside PostgreSQL, when a person wants it: Temporal and Novu."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from xnovu_poller.errors import ConfigError, XnovuError
from xnovu_poller.lifecycle import Language
from xnovu_poller.novu.activity import Activity
from xnovu_poller.settings import NovuSettings
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule
from xnovu_poller.story import Sources
from xnovu_poller.story.sources import link_run, open_sources
from xnovu_poller.temporal.delivery.history import Run
from xnovu_poller.temporal.rules.fire import fire_rule
from xnovu_poller.temporal.shared import SharedClient

ENGLISH = Language("en", "UTC")


def _nothing() -> ConfigError:
    return ConfigError(["NOVU_SECRET_KEY: is not set"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """How to reach Temporal and Novu, and the language of texts that have none of their own.

    Attributes:
        temporal: None if the page may not ask it.
        novu: or why it cannot be asked.
    """

    temporal: SharedClient | None = None
    novu: NovuSettings | ConfigError = field(default_factory=_nothing)
    language: Language = ENGLISH

    @asynccontextmanager
    async def open_sources(self) -> AsyncIterator[Sources]:
        """Yield what asks Temporal and Novu about a notification; each is connected when it is first asked."""
        if self.temporal is None:
            yield self.closed
            return
        async with open_sources(self.temporal, self.novu) as sources:
            yield sources

    @property
    def closed(self) -> Sources:
        """Sources that answer nothing, but know the address of a run."""
        return Sources(_refuse_run, _refuse_activity, self._link_run)

    async def fire(self, engine: Engine, rule: Rule) -> str:
        """Fire a rule in Temporal; return the id of the run.

        Raises:
            XnovuError: as `fire_rule`, or the page may not ask Temporal.
        """
        if self.temporal is None:
            raise XnovuError("Temporal: this page may not ask it; set TEMPORAL_ADDRESS where it runs")
        return await fire_rule(engine, self.temporal, rule.id, rule.enterprise_id)

    def _link_run(self, run_id: str) -> str | None:
        return None if self.temporal is None else link_run(self.temporal.settings, run_id)


async def _refuse_run(_run_id: str) -> Run | None:
    raise XnovuError(_NOT_ALLOWED)


async def _refuse_activity(_ids: object) -> Activity:
    raise XnovuError(_NOT_ALLOWED)


_NOT_ALLOWED = "this page asks PostgreSQL only"
