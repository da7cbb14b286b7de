"""The Novu environment that the stand-in plays, and the switches that set how strict it is."""

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from xnovu_poller.dev.standin.buckets import Buckets
from xnovu_poller.dev.standin.failed_calls import FailedCalls
from xnovu_poller.dev.standin.faults import Faults
from xnovu_poller.dev.standin.idempotency import Idempotency
from xnovu_poller.dev.standin.ledger import Ledger
from xnovu_poller.dev.standin.subscribers import Subscribers
from xnovu_poller.dev.standin.topics import Topics
from xnovu_poller.dev.standin.workflow_routes import WorkflowRoutes
from xnovu_poller.dev.standin.workflows import Workflows

Plan = Literal["off", "free", "pro", "team", "enterprise"]


class Switches(BaseModel):
    """How the environment is set up; the defaults are those of a self-hosted Novu.

    Attributes:
        secret_key: the only accepted key; None accepts any.
        idempotency: whether `Idempotency-Key` is honoured.
        rate_limit: the plan whose limits apply.
        limits: tokens per second by category (trigger, configuration, global) that replace the plan's.
        drop_repeats: whether a repeated transaction id is dropped; Novu always does.
        workflows_known: whether a workflow that was neither set nor created is known and active.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret_key: str | None = Field(default=None, repr=False)
    idempotency: bool = False
    rate_limit: Plan = "off"
    limits: dict[Literal["trigger", "configuration", "global"], PositiveInt] = {}
    drop_repeats: bool = True
    workflows_known: bool = True


class Environment:
    """Everything that the stand-in remembers.

    Attributes:
        switches: the current switches; `reset` restores those of the start.
        tallies: calls, triggers, refused, replays, throttled, faults.
        resets: how often `reset` was called; a call that was running then must not be recorded.
    """

    def __init__(self, switches: Switches | None = None, ledger: Path | None = None) -> None:
        self.switches = self._at_start = switches or Switches()
        self.ledger = Ledger(ledger)
        self.subscribers = Subscribers()
        self.topics = Topics(self.subscribers)
        self.created = WorkflowRoutes()
        self.workflows = Workflows(self.created)
        self.faults = Faults()
        self.idempotency = Idempotency()
        self.buckets = Buckets()
        self.failed_calls = FailedCalls()
        self.tallies: Counter[str] = Counter()
        self.resets = 0

    def reset(self) -> None:
        """Forget everything, end hanging calls, and restore the switches."""
        self.resets += 1
        self.switches = self._at_start
        for part in (
            self.ledger,
            self.topics,
            self.subscribers,
            self.created,
            self.workflows,
            self.faults,
            self.idempotency,
            self.buckets,
            self.failed_calls,
            self.tallies,
        ):
            part.clear()
