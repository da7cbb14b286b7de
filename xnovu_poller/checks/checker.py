"""Check the rows that have changed at once, and go round all others."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from xnovu_poller.checks.templates import check_templates
from xnovu_poller.checks.workflows import check_workflows
from xnovu_poller.lifecycle import Language, RowKind
from xnovu_poller.schemas.check import Schemas
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.row_checks import (
    ROWS_OF_A_TURN,
    begin,
    count_errors,
    find_next,
    find_unsettled,
    record,
)

BUDGET = timedelta(seconds=10)
"""How long a run begins to check further templates; once for those that have changed, once for the others."""

SWEPT_SHARE = 0.1
"""The share of the time in which rows are checked that have not changed."""

_SCHEMA_BYTES = 16 << 20


class Checker:
    """Checks published templates and workflows.

    A row is checked when it has changed. What it uses may change too, so each run also checks rows in which something was
    found before, and goes on through all others by their ids.

    Args:
        default: the language of enterprises that have none.
    """

    def __init__(self, engine: Engine, default: Language) -> None:
        self._engine = engine
        self._default = default
        self._schemas = Schemas(_SCHEMA_BYTES)
        self._turn = 0
        self._swept_again_at = -math.inf

    async def run(
        self,
        after: Mapping[str, int],
        *,
        budget: timedelta = BUDGET,
        pause: timedelta = timedelta(seconds=30),
    ) -> dict[str, Any]:
        """Check the rows that are due.

        If the process dies here, results that were recorded stay, and the other rows are still due.

        Args:
            after: for each kind, the id up to which the last run has come, as it was returned.
            pause: rows that have not changed are checked again after this at the latest.

        Returns:
            `checked`; `errors` by kind, up to a bound; `after`.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
        """
        seconds = budget.total_seconds()
        end = time.monotonic() + seconds
        checked = 0
        for kind in RowKind:
            checked += await self._check_changed(kind, end)
        positions = {kind.value: after.get(kind, 0) for kind in RowKind}
        if time.monotonic() >= self._swept_again_at:
            start = time.monotonic()
            for kind in RowKind:
                count, positions[kind] = await self._sweep(kind, positions[kind], start + seconds)
                checked += count
            longest = (time.monotonic() - start) * (1 / SWEPT_SHARE - 1)
            self._swept_again_at = time.monotonic() + min(longest, pause.total_seconds())
        errors = await count_errors(self._engine)
        return {
            "checked": checked,
            "errors": {kind.value: errors[kind] for kind in RowKind},
            "after": positions,
        }

    async def _check_changed(self, kind: RowKind, end: float) -> int:
        """Check the rows that were not checked since they changed, turn by turn; return how many."""
        count, done = 0, set[int]()
        while found := await self._find_unsettled(kind, unchecked=True, without=done):
            if kind is RowKind.WORKFLOW:
                count += sum([await self._check_new(id_) for id_ in found])
            else:
                count += await self._check(kind, found, end)
            done.update(found)
            if time.monotonic() >= end:
                break
        return count

    async def _sweep(self, kind: RowKind, after: int, end: float) -> tuple[int, int]:
        """Check rows that have not changed; return how many, and up to which id."""
        following = await find_next(self._engine, kind, after)
        unsettled = await self._find_unsettled(kind, unchecked=False, without=following)
        count = await self._check(kind, [*following, *unsettled], end)
        return count, following[-1] if len(following) == ROWS_OF_A_TURN else 0

    async def _find_unsettled(self, kind: RowKind, *, unchecked: bool, without: Collection[int]) -> list[int]:
        self._turn += 1
        return await find_unsettled(self._engine, kind, unchecked=unchecked, without=without, turn=self._turn)

    async def _check(self, kind: RowKind, ids: Sequence[int], end: float) -> int:
        """Check rows and record the results; return how many there are."""
        if not ids:
            return 0
        if kind is RowKind.TEMPLATE:
            results = [result async for result in check_templates(self._engine, ids, end)]
        else:
            results = await check_workflows(self._engine, self._schemas, self._default, ids)
        await record(self._engine, kind, results)
        return len(results)

    async def _check_new(self, workflow_id: int) -> int:
        """Check a workflow by itself: if its schema kills this process, its row shows it, and no other."""
        await begin(self._engine, workflow_id)
        return await self._check(RowKind.WORKFLOW, [workflow_id], math.inf)
