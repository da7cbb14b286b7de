"""The worker's port: half-open clients, and many readers of the metrics."""

import resource
import socket
import threading
import time
from contextlib import suppress

import httpx

from benchmarks.hostile.attacks.attack import Attack, Report, Target, repeat
from xnovu_poller.dev.ports import LOOPBACK

CLIENTS = 3000
READERS = 40


def half_open(target: Target, until: float, report: Report) -> None:
    """Open connections that never finish their request, and open them again when they are closed."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * CLIENTS), hard))
    clients: list[socket.socket] = []
    try:
        for _ in repeat(until, 0.001):
            if len(clients) >= CLIENTS:
                clients.pop(0).close()
            report.tried += 1
            try:
                client = socket.create_connection((LOOPBACK, target.health_port), timeout=1)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-")
                clients.append(client)
            except OSError:
                report.refused += 1
    finally:
        for client in clients:
            client.close()


def readers(target: Target, until: float, report: Report) -> None:
    """Read the metrics from many clients at once, as fast as they are answered."""
    threads = [
        threading.Thread(target=_read, args=(target.health_port, until, report)) for _ in range(READERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _read(port: int, until: float, report: Report) -> None:
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=5, trust_env=False) as client:
        while time.monotonic() < until:
            report.tried += 1
            with suppress(httpx.HTTPError):
                report.refused += client.get("/metrics").is_error
                continue
            report.refused += 1
            time.sleep(0.01)


ATTACKS = (
    Attack(f"{CLIENTS} half-open clients of the port", half_open),
    Attack(f"{READERS} clients that read /metrics without pause", readers),
)
