"""The connection to Temporal of a process that serves people and programs, and asks Temporal only for some of them."""

import asyncio
from contextlib import suppress

from temporalio.client import Client

from xnovu_poller.errors import TemporalError
from xnovu_poller.settings import TemporalAddressSettings
from xnovu_poller.temporal.client import address_of
from xnovu_poller.temporal.renewal import Renewal


class SharedClient:
    """Connects when Temporal is first needed, and again when the files of its certificates change; all share the connection.

    Attributes:
        settings: where Temporal is.
    """

    def __init__(self, settings: TemporalAddressSettings) -> None:
        self.settings = settings
        self._renewal = Renewal(address_of(settings))
        self._client: Client | None = None
        self._attempt: asyncio.Task[Client] | None = None

    async def lend(self) -> Client:
        """Return the client.

        All who wait share one attempt to connect, and its error: it takes many seconds if Temporal does not answer. The attempt
        goes on if a caller gives up.

        Raises:
            OSError, TemporalError: as `Renewal.connect`, if there is no connection yet.
        """
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._connect(), name="temporal connection")
        return await asyncio.shield(self._attempt)

    async def _connect(self) -> Client:
        if self._client is None:
            self._client = await self._renewal.connect()
        # Files that do not fit each other, as in the middle of a change, leave the connection as it is.
        with suppress(TemporalError, OSError):
            if self._renewal.is_outdated():
                self._client = await self._renewal.connect()
        return self._client
