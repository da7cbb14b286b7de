"""`xnovu worker health` and `status`: what a worker answers, and an exit code for probes."""

import asyncio
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result
from typing_extensions import override

from tests.integration.web.conftest import always, served
from tests.support.environments import Environment
from tests.support.ports import closed_port
from xnovu_poller.cli.group import xnovu
from xnovu_poller.web.health import Health, Probe, ProbeAnswer

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens on it


def run(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(xnovu, ["worker", *words])


@pytest.mark.parametrize("command", ["health", "status"])
@pytest.mark.parametrize(("answer", "code"), [("healthy", 0), ("degraded", 0), ("unhealthy", 1)])
async def test_the_exit_code_is_that_of_the_health(command: str, answer: Health, code: int) -> None:
    """A degraded worker works, so a probe must not restart it."""
    async with served(Probe("novu", always(ProbeAnswer(answer, "a \x1b[2J word")))) as client:
        url = str(client.base_url)
        shown = await asyncio.to_thread(run, command, "--url", url)
        printed = await asyncio.to_thread(run, command, "--url", url, "--json")

    assert (shown.exit_code, printed.exit_code) == (code, code)
    assert f"novu       {answer}" in shown.output
    assert r"a \u001b[2J word" in shown.output
    assert "WHAT" not in shown.output
    assert json.loads(printed.output)["components"]["novu"]["status"] == answer


async def test_the_status_shows_every_value(environment: Environment) -> None:
    """Nested values have their path; without --url, the settings show where the worker listens."""
    known = {"loops": {"new": {"turns": 3, "last_error": None}}, "backlog": {}}
    async with served(status=lambda: known) as client:
        environment(WORKER_HEALTH_HOST=EVERYWHERE, WORKER_HEALTH_PORT=str(client.base_url.port))
        shown = await asyncio.to_thread(run, "status")

    rows = {tuple(line.split()) for line in shown.output.splitlines()}
    assert rows >= {("loops.new.turns", "3"), ("loops.new.last_error", "null"), ("backlog", "{}")}


async def test_the_token_is_that_of_the_settings(environment: Environment, tmp_path: Path) -> None:
    """It also comes from a file; a refusal is a sentence that has the variable."""
    (tmp_path / "token").write_text("a-token-of-monitoring\n")
    async with served(token="a-token-of-monitoring") as client:
        url = str(client.base_url)
        environment()
        refused = await asyncio.to_thread(run, "status", "--url", url)
        environment(WORKER_HTTP_TOKEN_FILE=str(tmp_path / "token"))
        shown = await asyncio.to_thread(run, "status", "--url", url)

    assert (refused.exit_code, shown.exit_code) == (3, 0)
    assert "(it asks for another token); set WORKER_HTTP_TOKEN as its worker has it" in refused.output


async def test_the_token_goes_to_nobody_else(environment: Environment) -> None:
    """A redirect would carry it to a host that the answer names."""
    environment(WORKER_HTTP_TOKEN="a-token-of-monitoring")
    seen: list[str | None] = []
    ports: list[int] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            seen.append(self.headers["Authorization"])
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{ports[0]}/elsewhere")
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        ports.append(server.server_port)
        thread = Thread(target=server.serve_forever)
        thread.start()
        await asyncio.to_thread(run, "status", "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()

    assert seen[:2] == ["Bearer a-token-of-monitoring", None]
    assert set(seen[1:]) == {None}


@pytest.mark.parametrize("command", ["health", "status"])
def test_a_worker_that_is_not_there_is_not_unhealthy(command: str) -> None:
    """Exit code 3 and a sentence, also where something else answers."""
    with closed_port() as port:
        nobody = run(command, "--url", f"http://127.0.0.1:{port}")

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "healthy"}')

        @override
        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.handle_request).start()
        other = run(command, "--url", f"http://127.0.0.1:{server.server_port}")

    assert (nobody.exit_code, other.exit_code) == (3, 3)
    assert "(Connection refused); does it run there?" in nobody.output
    assert "(the answer is not a worker's)" in other.output


def test_an_address_of_another_scheme_is_refused() -> None:
    """It could name a file."""
    refused = run("health", "--url", "file:///etc")

    assert refused.exit_code == 2
    assert "must have the form http://host:port" in refused.output
