"""The version names the commit: that of the build, or that of the checkout."""

from pathlib import Path

from tests.support.scratch import Scratch
from xnovu_poller import __version__
from xnovu_poller.cli.version import describe_version


def test_a_build_knows_its_commit(tmp_path: Path) -> None:
    """The build wrote it into the package."""
    (tmp_path / "_commit").write_text("6f826ed0123456789\n")
    assert describe_version(tmp_path) == f"{__version__} (6f826ed)"
    (tmp_path / "_commit").write_text("6f826ed0123456789-dirty\n")
    assert describe_version(tmp_path) == f"{__version__} (6f826ed-dirty)"


def test_a_checkout_asks_git(scratch: Scratch) -> None:
    """A tag of the checkout has no influence."""
    scratch.git("tag", "v7.0.0")
    package = scratch.folder / "xnovu_poller"
    package.mkdir()
    short = scratch.git("rev-parse", "HEAD")[:7]
    assert describe_version(package) == f"{__version__} ({short})"
    (scratch.folder / "Dockerfile").write_text("FROM changed\n")
    assert describe_version(package) == f"{__version__} ({short}-dirty)"


def test_without_either_there_is_only_the_version(scratch: Scratch) -> None:
    """A checkout that lies around the installation is not asked."""
    environment = scratch.folder / "environment" / "xnovu_poller"
    environment.mkdir(parents=True)

    assert describe_version(environment) == __version__
