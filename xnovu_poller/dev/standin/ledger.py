"""What was accepted and what became of it, so that duplicates and losses can be counted."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from xnovu_poller.dev.standin.calls import Json, dump, iso_of_ms


class Fate(StrEnum):
    """What became of an accepted trigger.

    DELIVERED: to every one of its subscribers.
    NOBODY: its topics are unknown or empty; the caller never hears of it.
    DROPPED: its transaction id was there before; the caller never hears of it.
    DELAYED: it waits, and can be cancelled.
    CANCELLED: it was cancelled while it waited.
    """

    DELIVERED = "delivered"
    NOBODY = "nobody"
    DROPPED = "dropped"
    DELAYED = "delayed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Trigger:
    """An accepted trigger.

    Attributes:
        number: counted from 1, in the order of arrival.
        arrived_ms: milliseconds since 1970, by this machine's clock.
        workflow: Novu's identifier.
        transaction_id: as sent, or made up for a caller that sent none.
        enterprise: as the payload names it, or "unknown".
        channels: in which something is to be delivered; empty where nobody said.
        event: the body as JSON text: a tenth of what the parsed form would hold in memory.
        fate: what became of it.
        subscribers: to whom it was delivered, each once.
        delivered_ms: when; None while it is not.
    """

    number: int
    arrived_ms: int
    workflow: str
    transaction_id: str
    enterprise: str
    channels: tuple[str, ...]
    event: str
    fate: Fate = Fate.DELAYED
    subscribers: tuple[str, ...] = ()
    delivered_ms: int | None = None

    def body(self) -> dict[str, Json]:
        """Parse the event."""
        body: dict[str, Json] = json.loads(self.event)
        return body


class Ledger:
    """Every accepted trigger, in memory, and in a file where one is wanted.

    The file is appended to and never rewritten: one line for each trigger and for each change of
    its fate, the last one of a number counts. If the process dies, the line being written may be
    cut off; the next start leaves it out.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._triggers: list[Trigger] = []
        self._by_transaction: dict[str, list[Trigger]] = defaultdict(list)
        self._file: TextIO | None = None
        if path is not None:
            self._read_back(path)
            self._file = path.open("a", encoding="utf-8")

    def now_ms(self) -> int:
        """Give the wall clock in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def is_repeat(self, transaction_id: str) -> bool:
        """Say whether a trigger of this id reached anybody, or waits to: then a repeat is dropped."""
        return any(
            trigger.fate is not Fate.NOBODY for trigger in self._by_transaction.get(transaction_id, ())
        )

    def accept(
        self, event: Mapping[str, Json], transaction_id: str, enterprise: str, channels: Sequence[str]
    ) -> Trigger:
        """Take a trigger in; `settle` has to say at once what became of it."""
        trigger = Trigger(
            number=len(self._triggers) + 1,
            arrived_ms=self.now_ms(),
            workflow=event["name"],
            transaction_id=transaction_id,
            enterprise=enterprise,
            channels=tuple(channels),
            event=dump(event).decode(),
        )
        self._triggers.append(trigger)
        self._by_transaction[transaction_id].append(trigger)
        return trigger

    def settle(self, trigger: Trigger, fate: Fate, subscribers: Sequence[str] = ()) -> None:
        """Write down what became of a trigger."""
        if fate is Fate.DELIVERED:
            trigger.delivered_ms = self.now_ms()
        trigger.fate, trigger.subscribers = fate, tuple(subscribers)
        if self._file is not None:
            self._file.write(json.dumps(asdict(trigger), ensure_ascii=False) + "\n")
            self._file.flush()

    def delayed(self, transaction_id: str | None = None) -> list[Trigger]:
        """Give the triggers that wait, of one transaction or all."""
        triggers = self._triggers if transaction_id is None else self._by_transaction.get(transaction_id, [])
        return [trigger for trigger in triggers if trigger.fate is Fate.DELAYED]

    def triggers(self, **wanted: str | None) -> list[Trigger]:
        """Give triggers in the order of arrival.

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
        """Count what was accepted, delivered, dropped, and delivered more than once."""
        fates = Counter(trigger.fate for trigger in self._triggers)
        return {
            "accepted": len(self._triggers),
            "deliveries": sum(len(trigger.subscribers) for trigger in self._triggers),
            "duplicates": sum(
                count - 1
                for triggers in self._by_transaction.values()
                if len(triggers) > 1
                for count in deliveries_by_subscriber(triggers).values()
            ),
            **{fate.value: fates[fate] for fate in Fate},
        }

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._triggers.clear()
        self._by_transaction.clear()
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_back(self, path: Path) -> None:
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            path.write_bytes(whole)
        last: dict[int, Trigger] = {}
        for line in whole.splitlines():
            trigger = _trigger_of(json.loads(line))
            last[trigger.number] = trigger
        for trigger in last.values():
            self._triggers.append(trigger)
            self._by_transaction[trigger.transaction_id].append(trigger)


def deliveries_by_subscriber(triggers: Sequence[Trigger]) -> Counter[str]:
    """Count deliveries of these triggers by subscriber."""
    return Counter(subscriber for trigger in triggers for subscriber in trigger.subscribers)


def deliveries_of(triggers: Sequence[Trigger]) -> Iterator[tuple[Trigger, str]]:
    """Give each delivery: the trigger and the subscriber."""
    return ((trigger, subscriber) for trigger in triggers for subscriber in trigger.subscribers)


def arrival_of(trigger: Trigger) -> dict[str, Json]:
    """Tell a trigger without its body."""
    delivered = trigger.delivered_ms
    return {
        "number": trigger.number,
        "arrived_at": iso_of_ms(trigger.arrived_ms),
        "arrived_ms": trigger.arrived_ms,
        "delivered_at": None if delivered is None else iso_of_ms(delivered),
        "delivered_ms": delivered,
        "workflow": trigger.workflow,
        "transaction_id": trigger.transaction_id,
        "enterprise": trigger.enterprise,
        "channels": list(trigger.channels),
        "fate": trigger.fate.value,
    }


def _trigger_of(line: dict[str, Json]) -> Trigger:
    lists = {name: tuple(line[name]) for name in ("channels", "subscribers")}
    return Trigger(**{**line, **lists, "fate": Fate(line["fate"])})
