"""What a peer is told, and the jobs that this stands for; the same for each of them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Self

PAYLOAD_BYTES = 600

FILL_CHUNK = 1000
"""So many jobs are enqueued in one call, where a peer has a call for many."""

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What a peer is told, in a file: an argument would show the password to everybody.

    Attributes:
        database: the URL of a database of its own; empty, later filled.
        sink: where to POST to.
        jobs: so many are filled in.
    """

    database: str
    sink: str
    jobs: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the order."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write the order, for our eyes alone."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))

    def names(self) -> list[str]:
        """Name the jobs, as the sink will know them."""
        return [f"{number:07}" for number in range(self.jobs)]

    def payloads(self) -> Iterator[Payload]:
        """Give the jobs' payloads; each takes 600 bytes as JSON."""
        for name in self.names():
            start = {"job": name, "text": ""}
            yield {**start, "text": "x" * (PAYLOAD_BYTES - len(json.dumps(start)))}

    def chunks(self) -> Iterator[list[Payload]]:
        """Give the same, many at a time."""
        payloads = self.payloads()
        while chunk := list(islice(payloads, FILL_CHUNK)):
            yield chunk
