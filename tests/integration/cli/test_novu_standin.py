import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.waiting import WITHIN

COMMAND = "from xnovu_poller.cli.novu_standin import novu_standin; novu_standin()"
EVENT = {"name": "welcome", "to": "s-1", "transactionId": "xn-1", "payload": {}}


@contextmanager
def running(*options: str, stop: signal.Signals = signal.SIGKILL) -> Iterator[str]:
    """Run the command in its own process, and return the address that it prints."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(stop)
            process.wait()


def trigger(url: str, key: str = "any") -> httpx.Response:
    """Trigger an event."""
    headers = {"Authorization": f"ApiKey {key}"}
    return httpx.post(f"{url}/v1/events/trigger", json=EVENT, headers=headers, timeout=WITHIN)


def test_it_prints_its_address_and_keeps_its_ledger_over_a_kill(tmp_path: Path) -> None:
    """Triggers accepted before the kill are still known, and their repeats are dropped."""
    ledger = str(tmp_path / "ledger.jsonl")
    with running("--ledger", ledger) as url:
        assert trigger(url).status_code == 201
    with running("--ledger", ledger) as url:
        trigger(url)
        stats = httpx.get(f"{url}/_standin/stats", timeout=WITHIN).json()
    assert (stats["accepted"], stats["deliveries"], stats["dropped"]) == (2, 1, 1)


def test_its_options_set_key_and_limits() -> None:
    """Only this key is accepted, and the plan's limits hold."""
    options = ("--secret-key", "secret", "--rate-limit", "pro", "--idempotency")
    with running(*options, stop=signal.SIGTERM) as url:
        assert trigger(url).status_code == 401
        assert trigger(url, "secret").headers["RateLimit-Limit"] == "240"


def test_a_port_in_use_is_reported_in_a_sentence() -> None:
    """No traceback; the exit code is 1."""
    with running() as url:
        port = url.rpartition(":")[2]
        command = [sys.executable, "-c", COMMAND, "--port", port]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
