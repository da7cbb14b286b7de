"""Tags of images, from the state of a git checkout."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from xnovu_poller.cli.output import escape_for_terminal
from xnovu_poller.errors import XnovuError

IMAGE = "xnovu"

# A build ("+…") is left out: no tag of an image may have a plus sign.
_VERSION = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True)
class Checkout:
    """The commit of a checkout, its surroundings and its changes.

    Attributes:
        commit: its whole hash.
        short: the hash in seven digits, or more if seven are not unique.
        committed_at: seconds since 1970.
        dirty: files differ from the commit, or are new and not ignored.
        version: the nearest tag of a version, at this commit or before it.
        version_is_here: the tag is at this commit.
    """

    commit: str
    short: str
    committed_at: int
    dirty: bool
    version: str | None
    version_is_here: bool

    @property
    def local_tag(self) -> str:
        """The tag on this machine: an image of changed files has its own."""
        return f"{self.short}-dirty" if self.dirty else self.short

    @property
    def pushed_tags(self) -> tuple[str, ...]:
        """The tags in a registry, `latest` last.

        Beside changed files only the image of the commit itself is pushed: nobody may take it for the latest version.
        """
        if self.dirty:
            return (self.short,)
        return (self.short, *([self.version] if self.version else []), "latest")


def read_checkout(folder: Path) -> Checkout:
    """Ask git for the state of a checkout.

    Raises:
        XnovuError: git is missing, the folder is no checkout, or it has no commit.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    version = _nearest_version(folder)
    return Checkout(
        commit=commit,
        short=_git(folder, "rev-parse", "--short=7", "HEAD"),
        committed_at=int(_git(folder, "-c", "log.showSignature=false", "log", "-1", "--format=%ct")),
        dirty=bool(_git(folder, "status", "--porcelain")),
        version=version,
        version_is_here=version is not None
        and _git(folder, "rev-list", "-1", f"refs/tags/{version}") == commit,
    )


def _nearest_version(folder: Path) -> str | None:
    tags = _git(folder, "tag", "--merged", "HEAD").split()
    versions = [f"--match={tag}" for tag in tags if _VERSION.fullmatch(tag)]
    return _git(folder, "describe", "--tags", "--abbrev=0", *versions) if versions else None


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise XnovuError("docker: git is not installed, and the tags come from it; name one with --tag")
    ended = subprocess.run(  # noqa: S603 - git, with arguments of ours
        [git, "-C", folder, *arguments], check=False, capture_output=True, text=True, errors="replace"
    )
    if ended.returncode != 0:
        reason = escape_for_terminal((ended.stderr.splitlines() or ["no reason given"])[0])
        raise XnovuError(
            f"docker: git cannot read this folder ({reason}); run the command in a checkout that has a commit"
        )
    return ended.stdout.strip()
