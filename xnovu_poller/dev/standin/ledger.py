"""The accepted triggers and their states, so that duplicates and losses can be counted."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from xnovu_poller.dev.standin.calls import Json, dump, format_ms
from xnovu_poller.dev.standin.workflow_routes import Step


class State(StrEnum):
    """The state of an accepted trigger.

    DELIVERED: delivered to all its subscribers.
    NOBODY: it had no subscribers, because its topics are unknown or empty; the caller gets no error.
    DROPPED: its transaction id is a repeat; the caller gets no error.
    DELAYED: it waits and can be cancelled.
    CANCELLED: it was cancelled while it waited.
    """

    DELIVERED = "delivered"
    NOBODY = "nobody"
    DROPPED = "dropped"
    DELAYED = "delayed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class AcceptedTrigger:
    """An accepted trigger.

    Attributes:
        number: counted from 1, in the order of arrival.
        arrived_ms: milliseconds since 1970, by this machine's clock.
        workflow: Novu's identifier.
        transaction_id: as sent, or generated if the caller sent none.
        enterprise: from the payload, or "unknown".
        channels: the channels of its messages; empty if they are unknown.
        event: the body as JSON text, which needs a tenth of the memory of the parsed form.
        subscribers: the subscribers that it was delivered to, each once.
        delivered_ms: milliseconds since 1970; None if it was not delivered.
        steps: those of its workflow at that time; none if no call has created it.
    """

    number: int
    arrived_ms: int
    workflow: str
    transaction_id: str
    enterprise: str
    channels: tuple[str, ...]
    event: str
    state: State = State.DELAYED
    subscribers: tuple[str, ...] = ()
    delivered_ms: int | None = None
    steps: tuple[Step, ...] = ()

    def body(self) -> dict[str, Json]:
        """Parse the event."""
        body: dict[str, Json] = json.loads(self.event)
        return body


class Ledger:
    """Every accepted trigger, in memory and, if a path is given, in a file.

    Triggers are only appended to the file (`clear` empties it): it has a line for each change of a trigger's
    state, and the last line of a number counts. If the process dies while it writes a line, the next start removes that line.

    Attributes:
        changes: how often it was changed since the start.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.changes = 0
        self._triggers: list[AcceptedTrigger] = []
        self._by_transaction: dict[str, list[AcceptedTrigger]] = defaultdict(list)
        self._file: TextIO | None = None
        if path is not None:
            self._read(path)
            self._file = path.open("a", encoding="utf-8")

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def is_repeat(self, transaction_id: str) -> bool:
        """Return whether a repeat of this id is dropped: its trigger was delivered, is delayed, or was cancelled."""
        return any(
            trigger.state is not State.NOBODY for trigger in self._by_transaction.get(transaction_id, ())
        )

    def accept(
        self,
        event: Mapping[str, Json],
        transaction_id: str,
        enterprise: str,
        channels: Sequence[str],
        steps: Sequence[Step] = (),
    ) -> AcceptedTrigger:
        """Add a trigger; call `settle` at once to set its state."""
        trigger = AcceptedTrigger(
            number=len(self._triggers) + 1,
            arrived_ms=self.now_ms(),
            workflow=event["name"],
            transaction_id=transaction_id,
            enterprise=enterprise,
            channels=tuple(channels),
            event=dump(event).decode(),
            steps=tuple(steps),
        )
        self._triggers.append(trigger)
        self._by_transaction[transaction_id].append(trigger)
        return trigger

    def settle(self, trigger: AcceptedTrigger, state: State, subscribers: Sequence[str] = ()) -> None:
        """Set the state of a trigger, and write it to the file."""
        if state is State.DELIVERED:
            trigger.delivered_ms = self.now_ms()
        self.changes += 1
        trigger.state, trigger.subscribers = state, tuple(subscribers)
        if self._file is not None:
            self._file.write(json.dumps(asdict(trigger), ensure_ascii=False) + "\n")
            self._file.flush()

    def find(self, number: int) -> AcceptedTrigger | None:
        """Return a trigger by its number, or None if there is none."""
        return self._triggers[number - 1] if 1 <= number <= len(self._triggers) else None

    def find_delayed(self, transaction_id: str | None = None) -> list[AcceptedTrigger]:
        """Return the delayed triggers of one transaction, or all."""
        triggers = self._triggers if transaction_id is None else self._by_transaction.get(transaction_id, [])
        return [trigger for trigger in triggers if trigger.state is State.DELAYED]

    def triggers(self, **wanted: str | None) -> list[AcceptedTrigger]:
        """Return triggers in the order of arrival.

        Args:
            wanted: `transaction_id`, `workflow`, `enterprise`; None for any.
        """
        conditions = [(name, value) for name, value in wanted.items() if value is not None]
        return [
            trigger
            for trigger in self._triggers
            if all(getattr(trigger, name) == value for name, value in conditions)
        ]

    def tallies(self) -> dict[str, int]:
        """Return the numbers of triggers in each state, of deliveries, and of duplicates."""
        states = Counter(trigger.state for trigger in self._triggers)
        return {
            "accepted": len(self._triggers),
            "deliveries": sum(len(trigger.subscribers) for trigger in self._triggers),
            "duplicates": sum(
                count - 1
                for triggers in self._by_transaction.values()
                if len(triggers) > 1
                for count in count_by_subscriber(triggers).values()
            ),
            **{state.value: states[state] for state in State},
        }

    def clear(self) -> None:
        """Forget everything, and empty the file."""
        self.changes += 1
        self._triggers.clear()
        self._by_transaction.clear()
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, path: Path) -> None:
        text = path.read_bytes() if path.exists() else b""
        complete = text[: text.rfind(b"\n") + 1]
        if len(complete) < len(text):
            path.write_bytes(complete)
        last: dict[int, AcceptedTrigger] = {}
        for line in complete.splitlines():
            trigger = _parse(json.loads(line))
            last[trigger.number] = trigger
        for trigger in last.values():
            self._triggers.append(trigger)
            self._by_transaction[trigger.transaction_id].append(trigger)


def count_by_subscriber(triggers: Sequence[AcceptedTrigger]) -> Counter[str]:
    """Return the number of deliveries of these triggers, by subscriber."""
    return Counter(subscriber for trigger in triggers for subscriber in trigger.subscribers)


def list_deliveries(triggers: Sequence[AcceptedTrigger]) -> Iterator[tuple[AcceptedTrigger, str]]:
    """Return each delivery: the trigger and the subscriber."""
    return ((trigger, subscriber) for trigger in triggers for subscriber in trigger.subscribers)


def describe_arrival(trigger: AcceptedTrigger) -> dict[str, Json]:
    """Return a trigger as JSON, without its body."""
    delivered = trigger.delivered_ms
    return {
        "number": trigger.number,
        "arrived_at": format_ms(trigger.arrived_ms),
        "arrived_ms": trigger.arrived_ms,
        "delivered_at": None if delivered is None else format_ms(delivered),
        "delivered_ms": delivered,
        "workflow": trigger.workflow,
        "transaction_id": trigger.transaction_id,
        "enterprise": trigger.enterprise,
        "channels": list(trigger.channels),
        "state": trigger.state.value,
    }


def _parse(line: dict[str, Json]) -> AcceptedTrigger:
    lists = {name: tuple(line[name]) for name in ("channels", "subscribers")}
    steps = tuple(Step(**step) for step in line.get("steps", ()))
    return AcceptedTrigger(**{**line, **lists, "state": State(line["state"]), "steps": steps})
