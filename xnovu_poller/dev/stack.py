"""Start everything that a worker needs on one machine: PostgreSQL, Temporal and the Novu stand-in."""

import fcntl
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from xnovu_poller.dev import api
from xnovu_poller.dev.api import ApiServer
from xnovu_poller.dev.children import Child, ServerFailed, lock_out, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.postgres import Postgres, wheel_binaries
from xnovu_poller.dev.temporal import Temporal, wheel_binary
from xnovu_poller.store import schema
from xnovu_poller.store.session import ROLE

DATABASE = "xnovu"
LOGIN = "xnovu"
"""The worker's login: a member of `xnovu_worker` and nothing else."""

API_LOGIN = "xnovu_api_login"
PAGE_LOGIN = "xnovu_page_login"

STANDIN = "novu-standin"
STANDIN_KEY = "any-key-opens-the-stand-in"
WATCH_SECONDS = 0.5


def require_servers() -> None:
    """Find the servers before anything is made for them.

    Raises:
        ServerFailed: PostgreSQL or Temporal is not installed.
    """
    wheel_binaries()
    wheel_binary()


class Stack:
    """The one-machine stack in its folder: started in order, stopped in reverse.

    The folder keeps rows, workflows, deliveries and ports for the next start.

    Guarantee: no server keeps running if a start is interrupted or this process is killed.

    Attributes:
        postgres: the database's server; the chaos test stops and starts it.
        temporal: Temporal's server; likewise.
        api: the API and the operator's page; None if it is left out.
    """

    def __init__(self, folder: Path, *, revision: str = "head", with_api: bool = False) -> None:
        """Describe the stack of a folder, with its schema at a revision; nothing runs yet."""
        self._revision = revision
        self.folder = folder.absolute()
        ports = self._read_ports()
        self.postgres = Postgres(self.folder / "postgres", port=ports.get("postgres", 0))
        self.temporal = Temporal(
            self.folder / "temporal",
            keep=True,
            port=ports.get("temporal", 0),
            ui_port=ports.get("temporal-ui", 0),
        )
        self._standin_port = ports.get(STANDIN, 0)
        self._standin: Child | None = None
        self._ports = ports
        self.api = ApiServer(self.folder, ports.get(api.NAME, 0)) if with_api else None
        self._undo = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """The settings that a worker needs."""
        return {
            "DATABASE_URL": self.postgres.url(DATABASE, LOGIN),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "NOVU_API_URL": self.standin_url,
            "NOVU_SECRET_KEY": STANDIN_KEY,
        }

    @property
    def owner_url(self) -> str:
        """The superuser's URL of the database."""
        return self.postgres.url(DATABASE)

    @property
    def temporal_ui_url(self) -> str:
        """The address of Temporal's web interface."""
        return self.temporal.ui_url

    @property
    def standin_url(self) -> str:
        """The address of the Novu stand-in."""
        return f"http://{LOOPBACK}:{self._standin_port}"

    @property
    def servers(self) -> list[Child]:
        """The servers that were started, in that order."""
        served = self.api.server if self.api else None
        started = (self.postgres.server, self.temporal.server, self._standin, served)
        return [server for server in started if server is not None]

    def start(self, *, fresh: bool = False, report: Callable[[str], None] = lambda _: None) -> None:
        """Start all servers, and wait until they answer.

        Args:
            fresh: delete all rows, workflows and deliveries first.
            report: called with the name of each step.

        Raises:
            ServerFailed: a server did not start, or another stack runs in the folder. Nothing keeps running.
            StoreError: the database cannot be upgraded to this version's schema. Nothing keeps running.
        """
        with ExitStack() as undo:
            undo.enter_context(self._lock())
            if fresh:
                report("Deleting all rows, workflows and deliveries")
                self.erase()
            report("Starting PostgreSQL")
            undo.callback(self.postgres.stop)
            self.postgres.start()
            report("Upgrading the database to this version")
            self._migrate()
            report("Starting Temporal")
            undo.callback(self.temporal.stop)
            self.temporal.start()
            report("Starting the Novu stand-in")
            undo.callback(self._stop_standin)
            start_again(self._start_standin)
            if self.api is not None:
                report("Starting the API and the operator's page")
                undo.callback(self.api.stop)
                start_again(self._start_api)
            self._write_ports()
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Stop all servers, the last started first, and wait until they have ended."""
        self._undo.close()

    def watch(self) -> None:
        """Wait until a server ends by itself.

        Raises:
            ServerFailed: a server has ended.
        """
        while True:
            for server in self.servers:
                if not server.is_running:
                    raise ServerFailed(server.name, "ended", server.end_of_log())
            time.sleep(WATCH_SECONDS)

    def __enter__(self) -> Self:
        """Start everything."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.stop()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other stacks out of the folder; the lock ends with this process, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "stack.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ServerFailed("xnovu dev", f"already runs in {self.folder}; stop it first") from None
            yield

    def erase(self) -> None:
        """Delete all rows, workflows and deliveries; the stack must be stopped."""
        self.postgres.erase()
        self.temporal.erase()
        with lock_out(self.folder, STANDIN):
            self._ledger.unlink(missing_ok=True)
        ApiServer(self.folder).erase()

    def _migrate(self) -> None:
        if not self.postgres.has_database(DATABASE):
            self.postgres.create_database(DATABASE)
        schema.upgrade(self.owner_url, self._revision)
        self.postgres.create_login(LOGIN, ROLE)

    def _start_standin(self) -> None:
        self._standin_port = free_port(self._standin_port)
        command = [sys.executable, "-m", "xnovu_poller", STANDIN]
        command += ["--port", str(self._standin_port), "--ledger", str(self._ledger)]
        command += ["--temporal-ui", self.temporal_ui_url]
        self._standin = Child(STANDIN, command, folder=self.folder)
        self._standin.start()
        self._standin.wait_until(self._is_standin_answering)

    def _start_api(self) -> None:
        assert self.api is not None  # noqa: S101 - `start` has looked
        self.postgres.create_login(API_LOGIN, "xnovu_api")
        self.postgres.create_login(PAGE_LOGIN, "xnovu_reader", ROLE)
        worker = self.environment
        own = {
            "DATABASE_URL": self.postgres.url(DATABASE, API_LOGIN),
            "OPERATOR_DATABASE_URL": self.postgres.url(DATABASE, PAGE_LOGIN),
            "TEMPORAL_UI_URL": self.temporal_ui_url,
        }
        self.api.start({**worker, **own}, worker["DATABASE_URL"])

    def _stop_standin(self) -> None:
        if self._standin is not None:
            self._standin.stop()

    def _is_standin_answering(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self._standin_port), timeout=2):
            return True
        return False

    @property
    def _ledger(self) -> Path:
        return self.folder / "novu-ledger.jsonl"

    def _read_ports(self) -> dict[str, int]:
        """Return the ports of the last start, so that addresses you have copied stay valid."""
        with suppress(FileNotFoundError):
            ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
            return ports
        return {}

    def _write_ports(self) -> None:
        ports = {
            **self._ports,
            "postgres": self.postgres.port,
            "temporal": self.temporal.port,
            "temporal-ui": self.temporal.ui_port,
            STANDIN: self._standin_port,
            **({api.NAME: self.api.port} if self.api else {}),
        }
        (self.folder / "ports.json").write_text(json.dumps(ports, indent=2) + "\n")
