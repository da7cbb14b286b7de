"""The file that names a running worker, for `xnovu worker stop` and `restart`."""

import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from xnovu_poller.errors import XnovuError

Options: TypeAlias = Mapping[str, str | bool]
"""The options with which a worker was started, by their names in Python; a flag is True."""

PID_FILE = Path("xnovu-worker.pid")

_PROC = Path("/proc")
_STARTED = 19
"""The position of the start time among the fields behind the name. Source: proc_pid_stat(5), field 22."""


class Running(NamedTuple):
    """A process that cannot be taken for another which later gets the same id."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether the process with this id is still the same."""
        return find_start(self.pid) == self.started


@contextmanager
def hold(path: Path, options: Options) -> Iterator[Callable[[], None]]:
    """Lock the file until this process ends, also if it is killed; the yielded function writes the process into it.

    Args:
        options: written beside it, for a restart.

    Raises:
        XnovuError: another worker holds the file, it is not a pid file, or it cannot be written.
    """
    try:
        file = open(path, "a+", encoding="ascii", opener=_open_no_link)  # noqa: SIM115 - closed below
    except OSError as error:
        raise XnovuError(f"{path}: cannot be written ({error.strerror})") from None
    with file:
        _lock(file.fileno(), path)
        read(path)  # refuses a file that is not ours, before it is emptied
        file.truncate(0)
        try:
            content = (os.getpid(), find_start(os.getpid()), json.dumps(dict(options)))
            yield lambda: print(*content, sep="\n", file=file, flush=True)
        finally:
            path.unlink(missing_ok=True)


def read(path: Path) -> Running | None:
    """Return the worker that a file names; None if there is no file, or if that worker has ended.

    Raises:
        XnovuError: the file cannot be read, or is not such a file.
    """
    found, _ = _read(path)
    return found if found is not None and found.alive else None


def read_options(path: Path) -> Options:
    """Return the options of the worker that a file names, also if it was killed; none if there is no file.

    Raises:
        XnovuError: as `read`, or the file belongs to another user, whose options are not ours to follow.
    """
    _, options = _read(path)
    if options and path.stat().st_uid != os.geteuid():
        raise XnovuError(f"{path}: belongs to another user; restart the worker as that user")
    return options


def _read(path: Path) -> tuple[Running | None, Options]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return None, {}
    except (OSError, UnicodeDecodeError):
        raise XnovuError(f"{path}: cannot be read") from None
    match lines:
        case []:  # its worker does not listen yet
            return None, {}
        case [pid, started, options] if pid.isdecimal() and int(pid) > 1 and options.startswith("{"):
            return Running(int(pid), started), json.loads(options)
        case _:
            raise XnovuError(
                f"{path}: was not written by `xnovu worker start`; remove it, or name another file"
            )


def find_start(pid: int) -> str | None:
    """Return when a process started, in the words of the system; None if there is none."""
    if not _PROC.is_dir():
        listed = subprocess.run(  # noqa: S603 - a number
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return listed.stdout.strip() or None
    try:
        _, _, fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *_ = found = fields.split()
    return None if state == "Z" else f"{boot} {found[_STARTED]}"


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder removes the file when it ends, perhaps just now.
        if os.path.samestat(os.fstat(file), path.stat()):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise XnovuError(f"{path}: another worker holds this file; stop it, or name another file")


def _open_no_link(path: str, flags: int) -> int:
    """Open a file that nobody else can have put in place of another, by a link to it."""
    return open_private(path, flags | os.O_NOFOLLOW)


def open_private(path: str, flags: int) -> int:
    """Open a file that only its owner can read and write, if it is new."""
    return os.open(path, flags, 0o600)
