"""Write the commit into what is built, so that `xnovu --version` can print it without a checkout."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RECORDED = "COMMIT"
PACKAGED = "xnovu_poller/_commit"


class CommitHook(BuildHookInterface[Any]):
    """Adds the file `xnovu_poller/_commit` to a wheel and `COMMIT` to a source distribution.

    The commit is that of the source distribution, or XNOVU_COMMIT if it is set, because the image is built without `.git`,
    or git's. Without them, and in an editable installation, there is no file. hatchling finds the class by its base.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file before the build."""
        recorded = Path(self.root, RECORDED)
        # A variable of the build, not a setting of the program.
        commit = os.environ.get("XNOVU_COMMIT") or self._ask_git()  # noqa: TID251
        if version == "editable" or not (recorded.exists() or commit):
            return
        if not recorded.exists():
            self._folder = tempfile.mkdtemp()
            recorded = Path(self._folder, RECORDED)
            recorded.write_text(f"{commit}\n", encoding="ascii")
        build_data["force_include"][str(recorded)] = RECORDED if self.target_name == "sdist" else PACKAGED

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the copy after the build."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder)

    def _ask_git(self) -> str:
        git = shutil.which("git")
        # Without `.git` here, git would answer for a checkout that happens to lie around this folder.
        if git is None or not Path(self.root, ".git").exists():
            return ""
        command = [git, "-C", self.root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()  # noqa: S603
