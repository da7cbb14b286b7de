"""The API and the operator's page of the one-machine stack, in a process of their own."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from xnovu_poller.dev.children import Child
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.store import api_keys
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.engine import connect

NAME = "api"
PORT = 4000
ENTERPRISE = "acme"
"""The enterprise of the key, which is that of the README's examples."""


class ApiServer:
    """The API and the page, with a password and a key that stay the same until the rows are deleted.

    Args:
        folder: holds the log, and both secrets in files that only we read.
        port: the preferred port; if it is in use, another is taken.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or PORT
        self.server: Child | None = None
        self._folder = folder

    @property
    def url(self) -> str:
        """The address of the page; the API is below `/api`."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def password(self) -> str:
        """The password of the page."""
        return self._password.read_text(encoding="ascii")

    @property
    def key(self) -> str:
        """A key of the API with all scopes, for ENTERPRISE."""
        return self._key.read_text(encoding="ascii")

    def start(self, environment: Mapping[str, str], worker_url: str) -> None:
        """Start the process, and wait until it answers.

        Args:
            environment: its settings, without those about its own port and the page's password.
            worker_url: the worker's login, which makes the key.

        Raises:
            ServerFailed: it does not answer.
        """
        _keep(self._password, lambda: secrets.token_urlsafe(12))
        _keep(self._key, lambda: asyncio.run(_make_key(worker_url)))
        self.port = free_port(self.port)
        own = {
            "API_HOST": LOOPBACK,
            "API_PORT": str(self.port),
            "OPERATOR_PASSWORD_FILE": str(self._password),
            "OPERATOR_ROLE": "operator",
        }
        self.server = Child(
            NAME,
            [sys.executable, "-m", "xnovu_poller", "api", "start"],
            folder=self._folder,
            environment={**environment, **own},
        )
        self.server.start()
        self.server.wait_until(self._is_answering)

    def stop(self) -> None:
        """Stop the process, if it runs."""
        if self.server is not None:
            self.server.stop()

    def erase(self) -> None:
        """Forget the password and the key, which belong to the rows."""
        for file in (self._password, self._key):
            file.unlink(missing_ok=True)

    @property
    def _password(self) -> Path:
        return self._folder / "operator-password"

    @property
    def _key(self) -> Path:
        return self._folder / "api-key"

    def _is_answering(self) -> bool:
        """Return whether it takes our key: another server may have taken the port, and would answer too."""
        headers = {"Authorization": f"Bearer {self.key}"}
        with suppress(httpx.HTTPError):
            answer = httpx.get(
                f"{self.url}/api/notifications?limit=1", headers=headers, timeout=5, trust_env=False
            )
            return answer.is_success
        return False


def _keep(file: Path, make: Callable[[], str]) -> None:
    """Write a new secret into a file that only we read, unless there is one."""
    if not file.exists():
        half = file.with_suffix(".half")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(make())
        half.rename(file)


async def _make_key(worker_url: str) -> str:
    engine = connect(worker_url, part="dev", size=1)
    try:
        made = await api_keys.create(engine, ENTERPRISE, "xnovu dev", tuple(Scope), None)
    finally:
        await engine.dispose()
    assert made is not None  # noqa: S101 - it has no end that could have passed
    return made
