"""Find a user for servers that refuse to run as root, and check which files that user can reach."""

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


def find_unprivileged_user() -> User | None:
    """Return `nobody` if we are root; None if servers can run as our own user."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def can_reach(user: User | None, path: Path) -> bool:
    """Return whether the user may enter the folder or run the file; a process of that user tries it."""
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
    """Create a folder that only this user can enter; accept an existing folder of the same user.

    Raises:
        PermissionError: the folder exists and belongs to another user.
    """
    owner = os.geteuid() if user is None else user.uid
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Everybody may write to /var/tmp, so somebody else may have put a folder or a link in the place of ours.
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != owner:
            raise PermissionError(f"{folder}: exists and belongs to another user") from None
    else:
        if user is not None:
            os.chown(folder, user.uid, user.gid)
