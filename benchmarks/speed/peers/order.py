"""The order for a peer, and its jobs, which are the same for each peer."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Self

PAYLOAD_BYTES = 600

FILL_CHUNK = 1000
"""The jobs that are enqueued with a call, if a peer has a call for many."""

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """The order for a peer. It is a file, because every user could read a password in the arguments.

    Attributes:
        database: the URL of its own database, empty at first.
        sink: the URL for POSTs.
        jobs: how many jobs to enqueue.
    """

    database: str
    sink: str
    jobs: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an order from a file."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write the order to a file that only we can read."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))

    def names(self) -> list[str]:
        """Return the ids of the jobs, by which the sink knows them."""
        return [f"{number:07}" for number in range(self.jobs)]

    def payloads(self) -> Iterator[Payload]:
        """Return the payloads of the jobs; each takes 600 bytes as JSON."""
        for name in self.names():
            start = {"job": name, "text": ""}
            yield {**start, "text": "x" * (PAYLOAD_BYTES - len(json.dumps(start)))}

    def chunks(self) -> Iterator[list[Payload]]:
        """Return the payloads, many at a time."""
        payloads = self.payloads()
        while chunk := list(islice(payloads, FILL_CHUNK)):
            yield chunk
