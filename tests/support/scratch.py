"""Scratch git repositories, and a `docker` that only records how it was called."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from xnovu_poller import settings

_GIT = shutil.which("git") or "git"
_RECORDER = """\
#!{python} -SE
import json, sys
from pathlib import Path

folder = Path(__file__).parent
with (folder / "calls").open("a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
failing = folder / "failing"
sys.exit(125 if failing.exists() and failing.read_text() in sys.argv else 0)
"""


@dataclass(frozen=True)
class Scratch:
    """A repository of its own, without the settings of this machine."""

    COMMITTED_AT: ClassVar[int] = 1790000000

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git in the repository; return its output."""
        environment = settings.child_environment(
            GIT_CONFIG_GLOBAL=os.devnull,
            GIT_CONFIG_SYSTEM=os.devnull,
            GIT_COMMITTER_DATE=f"{self.COMMITTED_AT} +0200",
            GIT_AUTHOR_NAME="a",
            GIT_AUTHOR_EMAIL="a@example.org",
            GIT_COMMITTER_NAME="a",
            GIT_COMMITTER_EMAIL="a@example.org",
        )
        ended = subprocess.run(
            [_GIT, "-C", self.folder, *arguments], check=True, capture_output=True, text=True, env=environment
        )
        return ended.stdout.strip()

    def commit(self, message: str) -> None:
        """Commit everything, even if nothing has changed."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A repository with one commit, on the branch `main`."""
    made = Scratch(tmp_path / "checkout")
    made.folder.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    (made.folder / "Dockerfile").write_text("FROM scratch\n")
    made.commit("first")
    return made


@dataclass(frozen=True)
class RecordingDocker:
    """A `docker` that does nothing, and is found first."""

    folder: Path

    def calls(self) -> list[list[str]]:
        """Return the arguments of each call, in order."""
        record = self.folder / "calls"
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    def fail_at(self, word: str) -> None:
        """Let each call with this argument fail."""
        (self.folder / "failing").write_text(word)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingDocker:
    """Put the recording `docker` on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(_RECORDER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return RecordingDocker(folder)
