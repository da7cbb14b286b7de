"""Connect to Temporal again when the files of its certificates change, because the SDK reads them only once."""

import asyncio
from datetime import timedelta
from hashlib import sha256

from temporalio.client import Client
from temporalio.worker import Worker

from xnovu_poller import log
from xnovu_poller.errors import TemporalError
from xnovu_poller.temporal.client import Address, Exposed, connect

_log = log.get(__name__)

EVERY = timedelta(seconds=30)


class Renewal:
    """Opens the connection of a process, and later replaces it by one with the certificates that the files have then.

    Args:
        exposed: where the SDK serves its own metrics.
    """

    def __init__(self, address: Address, exposed: Exposed | None = None) -> None:
        self._address = address
        self._exposed = exposed
        self._files = [path for path in (address.certificate, address.key, address.authority) if path]
        self._digests: list[bytes] = []

    async def connect(self) -> Client:
        """Connect with the files as they are now.

        Raises:
            ConfigError: the SDK cannot serve its metrics there.
            OSError: a file cannot be read.
            TemporalError: as `client.connect`.
        """
        digests = self._digest()
        client = await connect(self._address, exposed=self._exposed)
        self._digests = digests
        return client

    async def run(self, client: Client, worker: Worker) -> None:
        """Look at the files again and again, for ever; return at once if there are none."""
        while self._files:
            await asyncio.sleep(EVERY.total_seconds())
            await self.look(client, worker)

    async def look(self, client: Client, worker: Worker) -> None:
        """Replace the connection under the client and its worker if a file has changed.

        The earlier connection stays until the new connection has proven itself, so files that do not fit each other, as in
        the middle of a change, do no harm. Calls under way end on the earlier connection.
        """
        try:
            if not self.is_outdated():
                return
            fresh = await self.connect()
        except (TemporalError, OSError) as error:
            reason = str(error) if isinstance(error, TemporalError) else type(error).__name__
            _log.warning("changed certificates do not work yet", reason=reason)
            return
        # All parts of the process share this client, so its connection is replaced in place.
        config = client.config()
        config["service_client"] = fresh.service_client
        Client.__init__(client, **config)
        worker.client = client
        _log.info("certificates renewed")

    def is_outdated(self) -> bool:
        """Return whether a file has changed since the connection was made.

        Raises:
            OSError: a file cannot be read.
        """
        return self._digest() != self._digests

    def _digest(self) -> list[bytes]:
        return [sha256(path.read_bytes()).digest() for path in self._files]
