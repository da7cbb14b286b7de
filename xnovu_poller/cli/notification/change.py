"""Carry out an action on notifications: count, ask, change in batches, and leave a line in the audit."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.notification.action import Request
from xnovu_poller.cli.output import escape_for_terminal, print_json
from xnovu_poller.errors import StoreError
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.actions import (
    Action,
    Effect,
    change_all,
    describe_act,
    read_ids,
)
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import read_states
from xnovu_poller.store.notifications.walk import Count, count

_MOST_NAMED = 5
_MOST_IDS_KEPT = 100


def carry_out(action: Action[Any], request: Request) -> int:
    """Carry out an action, and return the exit code: 1 if any notification was not changed, or none was found."""
    return asyncio.run(_carry_out(action, request))


async def _carry_out(action: Action[Any], request: Request) -> int:
    async with database() as engine:
        change = _Change(engine, action, request)
        return await (change.by_ids() if request.ids else change.by_filters())


class _Change:
    """An action that a person has requested."""

    def __init__(self, engine: Engine, action: Action[Any], request: Request) -> None:
        self._engine, self._action, self._request = engine, action, request

    async def by_ids(self) -> int:
        """Change the notifications with these ids, and print what became of each."""
        ids = self._request.ids
        effects: dict[int, Effect] = {}
        if self._request.dry_run:
            states = await read_states(self._engine, ids)
            effects = {id_: self._action.preview(states.get(id_)) for id_ in ids}
        else:
            chosen = list(ids[:_MOST_IDS_KEPT])
            act = describe_act(self._action, self._request.actor, Filters(), len(ids), ids=chosen)
            await self._run(act, _once(ids), self._action.states, effects.__setitem__)
        if self._request.as_json:
            self._print_json(
                notifications=[
                    {"id": id_, "effect": effects[id_].word, "detail": effects[id_].sentence} for id_ in ids
                ]
            )
        else:
            for id_ in ids:
                click.echo(f"{id_}: {effects[id_].sentence}")
        return 0 if all(effect.is_changed for effect in effects.values()) else 1

    async def by_filters(self) -> int:
        """Count the notifications, ask, change them, and print how many had which effect."""
        wanted = replace(self._request.filters, states=self._request.filters.states or self._action.default)
        counted, filters = await count(self._engine, wanted)
        if not self._request.as_json:
            click.echo(_describe_count(counted))
        effects = Counter[Effect]()
        if self._request.dry_run or (counted.is_complete and not counted.total):
            is_done = counted.total > 0
        elif not self._is_confirmed(counted):
            return 1
        else:
            act = describe_act(self._action, self._request.actor, filters, counted.total)
            ids = read_ids(self._engine, filters)
            await self._run(act, ids, filters.wanted, lambda _, effect: effects.update([effect]))
            is_done = all(effect.is_changed for effect in effects)
        if self._request.as_json:
            self._print_json(
                counted=counted.total,
                is_complete=counted.is_complete,
                by_state=counted.by_state,
                by_enterprise=counted.by_enterprise,
                effects={effect.word: number for effect, number in effects.items()},
            )
        else:
            for effect, number in effects.most_common():
                click.echo(f"{number:,} {effect.sentence}")
        return 0 if is_done else 1

    def _is_confirmed(self, counted: Count) -> bool:
        """Ask, and return the answer; no answer is a no."""
        if self._request.yes:
            return True
        question = f"{self._action.name.capitalize()} {_format_total(counted)}?"
        try:
            is_confirmed = click.confirm(question, err=True)
        except click.Abort:
            click.echo("\nNothing was changed. Without a terminal, confirm with --yes.", err=True)
            return False
        if not is_confirmed:
            click.echo("Nothing was changed.", err=True)
        return is_confirmed

    async def _run(
        self,
        act: Act,
        ids: AsyncIterator[Sequence[int]],
        states: Sequence[Status],
        settle: Callable[[int, Effect], None],
    ) -> None:
        """Change the notifications in batches, beside a progress bar; stopped in the middle, print how many were changed."""
        line = await audit.start(self._engine, act)
        changed = change_all(self._engine, self._action, line, ids, states)
        bar = click.progressbar(
            length=act.counted or 0, label=act.action, file=sys.stderr, hidden=not sys.stderr.isatty()
        )
        try:
            with bar:
                async with aclosing(changed):
                    async for effects in changed:
                        for id_, effect in effects.items():
                            settle(id_, effect)
                        bar.update(len(effects))
        except (asyncio.CancelledError, StoreError):
            click.echo(await self._describe_stop(line), err=True)
            raise

    async def _describe_stop(self, line: int) -> str:
        where = f"line {line} of notify.ent_audit"
        try:
            changed = await audit.read_changed(self._engine, line)
        except StoreError:
            return f"Stopped in the middle; {where} shows how many were changed."
        return f"Stopped in the middle; {changed:,} were changed ({where})."

    def _print_json(self, **found: object) -> None:
        print_json({"action": self._action.name, "dry_run": self._request.dry_run, **found})


async def _once(ids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    yield ids


def _format_total(counted: Count) -> str:
    return f"{counted.total:,}" if counted.is_complete else f"at least {counted.total:,}"


def _describe_count(counted: Count) -> str:
    """Return how many notifications match, in which states, and of whom."""
    if counted.is_complete and not counted.total:
        return "No notification matches these filters."
    states = ", ".join(f"{number:,} {state}" for state, number in counted.by_state.items() if number)
    largest = counted.by_enterprise.most_common(_MOST_NAMED)
    enterprises = ", ".join(f"{escape_for_terminal(name, 60)} {number:,}" for name, number in largest)
    others = len(counted.by_enterprise) - len(largest)
    if others:
        enterprises += f", and {others:,} more"
    matching = "notification matches" if counted.is_complete and counted.total == 1 else "notifications match"
    return f"{_format_total(counted).capitalize()} {matching}: {states} ({enterprises})."
