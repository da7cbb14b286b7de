"""`xnovu api`: keys are made, listed and revoked, and a process serves until it is asked to stop."""

import json
import signal
from pathlib import Path

import httpx
import psycopg

from tests.support.forked import Fork, xnovu
from tests.support.logins import a_login, without_login
from tests.support.programs import ENVIRONMENT
from tests.support.waiting import WITHIN, wait_until


def test_a_key_is_shown_once_listed_by_its_prefix_and_revoked(database: str) -> None:
    """The database has neither the key nor its secret part."""
    made = xnovu(
        "api", "key", "create", "--enterprise", "acme", "--scope", "read,send", "--expires", "90d", "--name", "shop\x1b[2J", "--json",
        DATABASE_URL=database,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    created = json.loads(made.stdout)
    prefix = created["prefix"]
    assert (created["enterprise_id"], created["scopes"]) == ("acme", ["send", "read"])
    assert created["key"].startswith(f"xnovu_{prefix}_")
    other = xnovu(
        "api", "key", "create", "--enterprise", "globex", "--scope", "operate", DATABASE_URL=database
    )
    assert other.stdout.startswith("xnovu_")
    assert other.stderr == "Keep it now: it is not shown again.\n"
    with psycopg.connect(database) as db:
        found = db.execute("SELECT api_key::text FROM notify.api_key AS api_key").fetchall()
    secret = created["key"].rpartition("_")[2]
    assert not any(secret in text for (text,) in found)

    listed = xnovu("api", "key", "list", "--enterprise", "acme", DATABASE_URL=database).stdout
    assert (prefix in listed, "valid until" in listed, "\\u001b[2J" in listed, "globex" in listed) == (
        True,
        True,
        True,
        False,
    )
    revoked = xnovu("api", "key", "revoke", created["key"], DATABASE_URL=database)
    assert revoked.stdout == 'The key of enterprise "acme" is revoked.\n'
    keys = json.loads(xnovu("api", "key", "list", "--json", DATABASE_URL=database).stdout)["keys"]
    assert [(each["enterprise_id"], each["revoked_at"] is None) for each in keys] == [
        ("acme", False),
        ("globex", True),
    ]
    assert all("key" not in each for each in keys)


def test_what_cannot_be_a_key_is_refused(database: str) -> None:
    """In a sentence, before anything is written."""
    faults = {
        ("--scope", "write"): "it is a list of send, read, operate, separated by commas",
        (
            "--scope",
            "send",
            "--expires",
            "tomorrow",
        ): "is neither an age such as 90d or 12h, nor a time with an offset",
        ("--scope", "send", "--expires", "2020-01-01T00:00Z"): "key: its end has passed, so none was made",
    }
    for arguments, sentence in faults.items():
        ran = xnovu("api", "key", "create", "--enterprise", "acme", *arguments, DATABASE_URL=database)
        assert (ran.returncode != 0, sentence in ran.stderr) == (True, True), ran.stderr
    unknown = xnovu("api", "key", "revoke", "0123456789ab", DATABASE_URL=database)
    assert (unknown.returncode, "none has this prefix" in unknown.stderr) == (1, True)
    assert xnovu("api", "key", "list", DATABASE_URL=database).stderr == "There is no key.\n"


def test_a_process_serves_until_sigterm(database: str, tmp_path: Path) -> None:
    """It needs neither Temporal nor Novu's key for that."""
    login = a_login(database, "xnovu_api")
    output = tmp_path / "api.log"
    environment = {**ENVIRONMENT, "DATABASE_URL": login, "API_PORT": "0", "LOG_FORMAT": "json"}
    process = Fork(["api", "start"], environment, output)
    try:
        line = wait_until(
            lambda: (
                next((each for each in output.read_text().splitlines() if "API served" in each), None)
                if output.exists()
                else None
            )
        )
        url = f"http://127.0.0.1:{json.loads(line or '')['port']}"
        answer = httpx.get(f"{url}/api/notifications", trust_env=False, timeout=WITHIN)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, output.read_text()
    assert "API stopped" in output.read_text()
    without_login(database, login)


def test_several_processes_share_the_port_and_the_counts(database: str, tmp_path: Path) -> None:
    """Whichever answers, /metrics counts the requests of all; each finishes at SIGTERM."""
    login = a_login(database, "xnovu_api")
    output = tmp_path / "api.log"
    environment = {
        **ENVIRONMENT,
        "DATABASE_URL": login,
        "API_PORT": "0",
        "API_PROCESSES": "2",
        "LOG_FORMAT": "json",
    }
    process = Fork(["api", "start"], environment, output)

    def find_line() -> str | None:
        lines = output.read_text().splitlines() if output.exists() else []
        return next((line for line in lines if "API served" in line), None)

    def count() -> float:
        found = httpx.get(f"{url}/metrics", trust_env=False, timeout=WITHIN).text
        name = 'http_requests_total{method="GET",route="/livez",status="200"} '
        return next(
            (float(line.removeprefix(name)) for line in found.splitlines() if line.startswith(name)), 0
        )

    try:
        url = f"http://127.0.0.1:{json.loads(wait_until(find_line) or '')['port']}"
        # The socket is open before the processes accept.
        for _ in range(20):
            assert httpx.get(f"{url}/livez", trust_env=False, timeout=WITHIN).status_code == 200
        for _ in range(4):
            assert wait_until(lambda: count() == 20)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, output.read_text()
    without_login(database, login)
