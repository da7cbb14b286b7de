"""Finds a user for servers that refuse to run as root, and what that user can reach."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class User:
    """A user of this machine."""

    uid: int
    gid: int


def unprivileged() -> User | None:
    """Give `nobody` if we are root; None: we may run servers as ourselves."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def can_reach(user: User | None, path: Path) -> bool:
    """Whether the user may enter the folder, or run the file; the kernel itself is asked."""
    if user is None:
        return True
    tried = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$0"', str(path.absolute())],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return tried.returncode == 0


def make_private_folder(folder: Path, user: User | None) -> None:
    """Make the folder the user's own, with nobody else let in; one made before must be just that.

    Raises:
        PermissionError: the folder exists and is another user's.
    """
    owner = os.geteuid() if user is None else user.uid
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Somebody may have put a folder, or a link, of this name into a place that all can write to.
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != owner:
            raise PermissionError(f"{folder}: exists, and is another user's") from None
    else:
        if user is not None:
            os.chown(folder, user.uid, user.gid)
