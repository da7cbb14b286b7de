"""The next version: the same package with further migrations, in a folder of its own."""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import ROOT

_REVISION = '''"""A later revision."""

from xnovu_poller.store.revisions import run

revision = "{revision}"
down_revision = "{down}"
compatible_from = {compatible_from!r}
branch_labels = None
depends_on = None

UP = ("{revision}.sql",)


def upgrade() -> None:
    run(*UP)


def downgrade() -> None:
    run("{revision}_downgrade.sql")
'''


@dataclass
class NextVersion:
    """The next version of this package, in a folder.

    Attributes:
        head: its newest revision.
    """

    folder: Path
    head: str

    @classmethod
    def made(cls, folder: Path, head: str) -> "NextVersion":
        """Copy the migrations of this version, whose newest revision is `head`; share the package."""
        (folder / "xnovu_poller").symlink_to(ROOT / "xnovu_poller")
        shutil.copytree(
            ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__")
        )
        return cls(folder, head)

    def add(self, revision: str, compatible_from: str | None, up: str, down: str) -> None:
        """Add a revision that runs `up`, or backwards `down`."""
        migrations = self.folder / "migrations"
        source = _REVISION.format(revision=revision, down=self.head, compatible_from=compatible_from)
        (migrations / "versions" / f"{revision}.py").write_text(source)
        (migrations / "sql" / f"{revision}.sql").write_text(up)
        (migrations / "sql" / f"{revision}_downgrade.sql").write_text(down)
        self.head = revision

    def xnovu(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this version."""
        return subprocess.run(
            [sys.executable, "-m", "xnovu_poller", *arguments],
            env={
                "PYTHONPATH": f"{self.folder}:{sysconfig.get_path('purelib')}",
                "PYTHONSAFEPATH": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
