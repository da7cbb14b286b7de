"""An id of another enterprise is like an id of nobody: in the answer, in what PostgreSQL is asked, and in what it returns."""

import struct
from collections.abc import Iterator

import httpx
from typing_extensions import override

from tests.integration.web.test_api_matrix import ask
from tests.support.api import served_api
from tests.support.enterprises import id_of
from tests.support.proxy import Proxy, proxy_of
from tests.support.rows import Db, open_db
from xnovu_poller.web.api.operation import Operation
from xnovu_poller.web.api.table import OPERATIONS

OF_ONE = [operation for operation in OPERATIONS if "{id}" in operation.path]
LATER = 1000
"""So much above an id of another enterprise is an id of nobody."""

Asked = tuple[list[tuple[bytes, bytes]], list[bytes]]
"""The messages of a request: to PostgreSQL, with the text of statements, and the types of those that came back."""


class Recorder(Proxy):
    """A proxy that keeps what passes."""

    sent = b""
    returned = b""

    @override
    def _passes(self, chunk: bytes, *, asked: bool) -> bool:
        if asked:
            self.sent += chunk
        else:
            self.returned += chunk
        return super()._passes(chunk, asked=asked)

    def take(self) -> Asked:
        """Return the messages since the last call."""
        sent, returned = [*_split(self.sent)], [*_split(self.returned)]
        self.sent = self.returned = b""
        # A bind has the id itself.
        return [(kind, b"" if kind == b"B" else content) for kind, content in sent], [
            kind for kind, _ in returned
        ]


def _split(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the messages of a stream, type and content. Source: PostgreSQL's manual, "Message Formats"."""
    place = 0
    while place < len(stream):
        (length,) = struct.unpack_from("!I", stream, place + 1)
        yield stream[place : place + 1], stream[place + 5 : place + 1 + length]
        place += 1 + length


async def watch(
    client: httpx.AsyncClient, recorder: Recorder, operation: Operation, id_: int
) -> tuple[httpx.Response, Asked]:
    """Call an operation, and return the answer and what PostgreSQL was asked for it."""
    tried = []
    for _ in range(3):
        recorder.take()
        tried.append((await ask(client, operation, id_), recorder.take()))
    # Now and then a connection is checked besides.
    return min(tried, key=lambda each: len(each[1][0]))


async def test_an_id_of_another_is_like_an_id_of_nobody(two_enterprises: Db, any_database: str) -> None:
    """Also while another transaction has locked the row: a request that waited for it would show that it is there."""
    theirs = id_of(two_enterprises, "globex")
    async with (
        proxy_of(Recorder, any_database) as recorder,
        served_api(any_database, proxy=recorder) as api,
    ):
        client = api.client(await api.key("acme"))
        # The driver prepares a statement at its sixth call.
        for operation in OF_ONE * 6:
            await ask(client, operation, theirs)
        with open_db(any_database) as holder, holder.transaction():
            for table in ("ent_notification", "ent_notification_rule"):
                holder.execute(
                    f"SELECT FROM notify.{table} WHERE enterprise_id = 'globex' FOR UPDATE".encode()
                )
            for operation in OF_ONE:
                (foreign, asked), (free, asked_of_none) = [
                    await watch(client, recorder, operation, id_) for id_ in (theirs, theirs + LATER)
                ]
                assert (foreign.status_code, foreign.text) == (404, free.text), operation
                assert _steady(foreign) == _steady(free)
                assert asked == asked_of_none, operation


def _steady(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name != "date" and not name.startswith("ratelimit")
    }
