"""A server that answers every POST at once, as Novu would, and records which jobs arrived and when.

It is a separate program, started by path: `python acceptor.py PORT`. It must use little CPU, because it shares the
machine with the systems that it measures.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final, cast

from typing_extensions import override

LOOPBACK: Final = "127.0.0.1"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_JOB = re.compile(rb'"(?:transactionId|job)": ?"([^"]+)"')

_ANSWERED = b'{"acknowledged":true,"status":"processed","transactionId":"%b"}'
_HEAD = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
CREATED, OK, LENGTH_REQUIRED = b"201 Created", b"200 OK", b"411 Length Required"


class Ledger:
    """Which jobs arrived, how often, and when each first arrived."""

    def __init__(self) -> None:
        self.counts: dict[bytes, int] = {}
        self.arrivals: dict[bytes, float] = {}
        self.nameless = 0
        self._moments: list[float] = []
        self._waiting: list[tuple[int, Callable[[float], None]]] = []

    def write(self, jobs: list[bytes]) -> None:
        """Record the jobs of a request."""
        now = time.monotonic()
        self.nameless += not jobs
        for job in jobs:
            times = self.counts.get(job, 0)
            self.counts[job] = times + 1
            if not times:
                self.arrivals[job] = now
                self._moments.append(now)
        if self._waiting:
            self._answer_waiting()

    def when(self, number: int, respond: Callable[[float], None]) -> None:
        """Call back, now or later, with the moment at which this number of different jobs had arrived."""
        self._waiting.append((number, respond))
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        known, here = self._moments, self._waiting
        self._waiting = [wait for wait in here if wait[0] > len(known)]
        for number, respond in here:
            if number <= len(known):
                respond(known[number - 1])


class Connection(asyncio.Protocol):
    """A client's connection, kept alive as long as the client wants; requests may arrive in any pieces."""

    def __init__(self, house: "House") -> None:
        self._house = house
        self._unread = b""
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport for the answers."""
        # TCP has no other transport; uvloop's transport only lacks the base class.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived completely."""
        unread = self._unread + data
        while (end := unread.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(unread, 0, end)
            if found is None and unread.startswith(b"POST"):
                self._write(LENGTH_REQUIRED, b"")
                # Do not close it: data that the client still sends would reset the connection before our answer.
                self._transport.write_eof()
                self._transport.pause_reading()
                return
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(unread) < whole:
                break
            method, path, _ = unread[: unread.index(b"\r\n")].split(b" ")
            self._answer(method, path, unread[end + 4 : whole])
            unread = unread[whole:]
        self._unread = unread

    def _answer(self, method: bytes, path: bytes, body: bytes) -> None:
        if method == b"POST":
            jobs = _JOB.findall(body)
            self._house.ledger.write(jobs)
            self._write(CREATED, _as_novu(path, jobs))
        elif path.startswith(b"/_sink"):
            self._ask(method, path)
        else:
            self._write(OK, b"{}")

    def _ask(self, method: bytes, path: bytes) -> None:
        """Answer the driver; `/_sink/until/N` gets its answer when N jobs have arrived."""
        ledger = self._house.ledger
        if method == b"DELETE":
            self._house.ledger = Ledger()
            self._respond(None)
        elif path.startswith(b"/_sink/until/"):
            ledger.when(int(path.rpartition(b"/")[2]), self._respond)
        elif path == b"/_sink/counts":
            self._respond({job.decode(): times for job, times in ledger.counts.items()})
        elif path == b"/_sink/arrivals":
            self._respond({job.decode(): moment for job, moment in ledger.arrivals.items()})
        else:
            self._respond({"jobs": len(ledger.counts), "nameless": ledger.nameless})

    def _respond(self, answer: object) -> None:
        self._write(OK, json.dumps(answer).encode())

    def _write(self, status: bytes, body: bytes) -> None:
        self._transport.write(_HEAD % (status, len(body), body))


class House:
    """The state that all connections share."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    async def serve(self, port: int) -> None:
        """Serve for ever."""
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self), LOOPBACK, port)
        await server.serve_forever()


def _as_novu(path: bytes, jobs: list[bytes]) -> bytes:
    answers = b",".join([_ANSWERED % job for job in jobs])
    return b'{"data":[%b]}' % answers if path.endswith(b"/bulk") else b'{"data":%b}' % (answers or b"{}")


def main(port: int) -> None:
    """Serve until killed; on uvloop where it is installed."""
    loops = import_module("uvloop").new_event_loop if find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(House().serve(port))


if __name__ == "__main__":
    main(int(sys.argv[1]))
