"""What a check finds, and the form of the checks that are a single statement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause

AS_EXPECTED = "as expected"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check.

    Attributes:
        code: of the check; docs/runbook.md lists them.
        expected: the sound state.
        actual: the state that was found.
        mend: what to do, with the command or the SQL; None if all is as expected.
    """

    code: str
    expected: str
    actual: str = AS_EXPECTED
    mend: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether all is as expected."""
        return self.mend is None

    @property
    def sentence(self) -> str:
        """The problem and what to do."""
        return "; ".join(filter(None, (self.actual, self.mend)))


@dataclass(frozen=True, slots=True)
class Check:
    """A check that is a single statement.

    Attributes:
        statement: returns a sentence for each problem: *subject: the fact; what to do*.
        values: its parameters.
    """

    code: str
    expected: str
    statement: TextClause
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def judge(self, sentences: Iterable[str]) -> list[Finding]:
        """Return a finding for each problem; one sound finding if there are none."""
        found = [self._to_finding(sentence) for sentence in sentences]
        return found or [Finding(self.code, self.expected)]

    def _to_finding(self, sentence: str) -> Finding:
        actual, _, mend = sentence.partition("; ")
        return Finding(self.code, self.expected, actual, mend)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The sizes from which a problem is reported.

    Attributes:
        transaction: how long a transaction lasts, if the worker's role may see that.
        horizon: for how many transactions a session or a slot has kept vacuum from removing dead rows.
        wal: how many bytes of WAL a slot without a reader holds.
        dead: how many dead rows a table has.
        waited: how long a lapsed lease waits for its rescue, or a due row for its claim while nothing of its enterprise
            is in flight.
        deaths: how many of the newest notifications became DEAD of one code within `died`.
        died: how far back deaths are counted.
        notify_queue: which part of the queue of NOTIFY is full.
        skew: how far the clocks of worker and database differ.
    """

    transaction: timedelta = timedelta(hours=1)
    horizon: int = 1_000_000
    wal: int = 1 << 30
    dead: int = 100_000
    waited: timedelta = timedelta(minutes=10)
    deaths: int = 10
    died: timedelta = timedelta(minutes=10)
    notify_queue: float = 0.1
    skew: timedelta = timedelta(seconds=5)


USUAL = Bounds()
