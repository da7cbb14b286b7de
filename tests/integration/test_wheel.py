"""The wheel contains everything that an installation needs."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.support.postgres import ROOT
from tests.support.rows import a_notification, open_db, sqlalchemy_url
from xnovu_poller.store import schema

UPGRADE = (
    "import sys; from xnovu_poller.store import schema; print(schema.__file__); schema.upgrade(sys.argv[1])"
)


def build(kind: str, place: Path) -> None:
    """Build a wheel or a source distribution."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", place], cwd=ROOT, check=True, env={}
    )


def migrations() -> list[Path]:
    """Return the files of the migrations."""
    found = [path for path in (ROOT / "migrations").rglob("*.*") if path.suffix != ".pyc"]
    assert any(path.suffix == ".sql" for path in found)
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as an installation does."""
    built, installed = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    build("wheel", built)
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    return installed


def test_a_wheel_migrates_without_a_checkout(installed: Path, empty_database: str) -> None:
    """Installations have no other copy of the migrations."""
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", UPGRADE, sqlalchemy_url(empty_database)],
        cwd=installed.parent,
        env={
            "PYTHONPATH": f"{installed}:{sysconfig.get_path('purelib')}",
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith(str(installed))
    with open_db(empty_database) as db:
        a_notification(db)
        found = db.execute("SELECT version_num FROM notify.alembic_version").fetchone()
    assert found == {"version_num": schema.required_revision()}


def test_a_wheel_contains_the_migrations_with_their_sql(installed: Path) -> None:
    """Each file equals that of the checkout."""
    expected = {path.relative_to(ROOT / "migrations"): path.read_bytes() for path in migrations()}
    packaged = installed / "xnovu_poller" / "_migrations"

    assert {path.relative_to(packaged): path.read_bytes() for path in packaged.rglob("*.*")} == expected


def test_a_source_distribution_contains_the_migrations_with_their_sql(tmp_path: Path) -> None:
    """A wheel can be built from it."""
    build("sdist", tmp_path)
    [archive] = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    [unpacked] = (path for path in tmp_path.iterdir() if path.is_dir())

    for path in migrations():
        assert (unpacked / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_a_wheel_contains_only_the_package(installed: Path) -> None:
    """No test, no byte code, no file of this machine."""
    names = {path.relative_to(installed).parts[0] for path in installed.iterdir()}
    modules = {path.relative_to(ROOT) for path in (ROOT / "xnovu_poller").rglob("*") if path.suffix == ".py"}

    assert {name.partition("-")[0] for name in names} == {"xnovu_poller"}
    assert list(installed.rglob("*.pyc")) == []
    assert {path for path in modules if not (installed / path).exists()} == set()
    assert (installed / "xnovu_poller" / "py.typed").exists()
    assert list(installed.glob("*.dist-info/licenses/LICENSE"))
