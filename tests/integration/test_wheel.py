"""The wheel contains everything that an installation needs."""

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import unpack
from tests.support.postgres import ROOT
from tests.support.programs import commanded, read_until
from tests.support.promise import until_settled
from tests.support.release import build
from tests.support.rows import a_notification, a_workflow, open_db
from tests.support.worker import START, running_worker
from xnovu_poller.cli.version import describe_version
from xnovu_poller.dev.stack import Stack
from xnovu_poller.store import schema

ALONE = {"PYTHONPATH": ""}
"""Nothing in the environment leads to the checkout."""


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder; byte code, which any process may just be writing, is left out."""
    return (path for path in folder.rglob("*.*") if "__pycache__" not in path.parts)


def migrations() -> list[Path]:
    """Return the files of the migrations."""
    found = [*files_below(ROOT / "migrations")]
    assert any(path.suffix == ".sql" for path in found)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build wheel and source distribution as a release does: twice, with the same bytes."""
    wheel, source = build(ROOT, tmp_path_factory.mktemp("built"))
    return wheel, source


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment without a checkout; return the environment."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(place)]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--no-compile", str(built[0])], check=True)
    # The dependencies are those of the tests. The checkout stands in a `.pth` file, which is not read there.
    (packages(place) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (place / "bin" / "temporal").symlink_to(Path(sys.executable).with_name("temporal"))
    return place


def packages(place: Path) -> Path:
    """Return the folder of the packages of an environment."""
    [folder] = place.glob("lib/python*/site-packages")
    return folder


def owner(lines: list[str]) -> int:
    """Return the number of the line in which `xnovu dev` prints the superuser's address."""
    return next(number for number, line in enumerate(lines) if "superuser" in line) + 2


def command(
    installed: Path, *words: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed `xnovu` in a folder."""
    return subprocess.run(
        [installed / "bin" / "xnovu", *words],
        cwd=folder,
        env={"PATH": os.defpath, **ALONE, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_wheel_sends_a_notification_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    """`xnovu dev`, `worker start` and a signal to each, as the README describes them."""
    program = (str(installed / "bin" / "xnovu"),)
    with commanded("dev", "--folder", tmp_path / "stack", program=program, **ALONE) as dev:
        lines = read_until(dev, "xnovu worker start")
        exports = dict(
            line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export ")
        )
        environment = {name: shlex.split(value)[0] for name, value in exports.items()} | ALONE
        upgraded = command(installed, "db", "upgrade", folder=tmp_path, DATABASE_URL=lines[owner(lines)])
        assert (upgraded.returncode, upgraded.stderr) == (0, "")
        with (
            open_db(lines[owner(lines)]) as db,
            running_worker(tmp_path, program=(*program, *START), **environment) as worker,
        ):
            a_notification(db, workflow=a_workflow(db))
            until_settled(db)
            assert worker.stop() == 0
            [row] = db.execute("SELECT notification_status::text AS status FROM notify.ent_notification")
            assert row == {"status": "SENT"}
        dev.send_signal(signal.SIGTERM)
        read_until(dev, "stopped")
        assert dev.wait() == 0
    Stack(tmp_path / "stack").erase()


def test_a_wheel_migrates_without_a_checkout(installed: Path, empty_database: str, tmp_path: Path) -> None:
    """Installations have no other copy of the migrations; the version names the commit that was built."""
    upgraded = command(installed, "db", "upgrade", folder=tmp_path, DATABASE_URL=empty_database)
    version = command(installed, "--version", folder=tmp_path)
    python = [str(installed / "bin" / "python"), "-c", "import xnovu_poller; print(xnovu_poller.__file__)"]
    imported = subprocess.run(python, cwd=tmp_path, env=ALONE, capture_output=True, text=True, check=True)

    assert imported.stdout.startswith(str(installed))
    assert upgraded.returncode == 0, upgraded.stderr
    with open_db(empty_database) as db:
        a_notification(db)
        found = db.execute("SELECT version_num FROM notify.alembic_version").fetchone()
    assert found == {"version_num": schema.required_revision()}
    assert version.stdout == f"xnovu, version {describe_version()}\n"


def test_a_wheel_contains_the_migrations_with_their_sql(installed: Path) -> None:
    """Each file equals that of the checkout."""
    expected = {path.relative_to(ROOT / "migrations"): path.read_bytes() for path in migrations()}
    packaged = packages(installed) / "xnovu_poller" / "_migrations"

    assert {path.relative_to(packaged): path.read_bytes() for path in files_below(packaged)} == expected


def test_a_source_distribution_contains_what_a_wheel_needs(built: tuple[Path, Path], tmp_path: Path) -> None:
    """The second build of the release was made from it. It has the documents too, and no test."""
    unpack(built[1], tmp_path)
    [unpacked] = tmp_path.iterdir()

    for path in migrations():
        assert (unpacked / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert (unpacked / "docs" / "deploy.md").exists()
    assert not (unpacked / "tests").exists()


def test_a_wheel_contains_only_the_package(built: tuple[Path, Path]) -> None:
    """No test, no byte code, no file of this machine."""
    with zipfile.ZipFile(built[0]) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT) for path in (ROOT / "xnovu_poller").rglob("*") if path.suffix == ".py"}

    assert {name.partition("-")[0].partition("/")[0] for name in names} == {"xnovu_poller"}
    assert [name for name in names if name.endswith(".pyc")] == []
    assert {str(path) for path in modules} - names == set()
    assert "xnovu_poller/py.typed" in names
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
