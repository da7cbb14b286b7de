"""Temporal of the one-machine stack: real, on free ports, and gone with its owner."""

import http.client
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from tests.support.programs import first_line, is_alive, kill, running
from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.temporal import NAMESPACE, Temporal

OWNER = """
import sys
from pathlib import Path
from xnovu_poller.dev.temporal import Temporal
server = Temporal(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Temporal]:
    """A server that keeps its workflows and has a web interface."""
    server = Temporal(tmp_path, keep=True, ui_port=0)
    yield server
    server.stop()


async def test_a_started_server_serves_at_once(temporal_server: Temporal) -> None:
    """The first call of a client succeeds."""
    client = await Client.connect(temporal_server.address, namespace=NAMESPACE)
    assert [found async for found in client.list_workflows("WorkflowId = 'nobody'")] == []


async def test_search_attributes_are_registered(temporal_server: Temporal) -> None:
    """Attributes named at the start can be used at once."""
    client = await Client.connect(temporal_server.address)
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=NAMESPACE)
    )
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    assert found.custom_attributes["XnovuEnterpriseId"] == keyword


async def test_workflows_survive_a_restart(server: Temporal, task_queue: str) -> None:
    """A kept workflow is found again at the same address."""
    server.start()
    address = server.address
    client = await Client.connect(address)
    await client.start_workflow(
        "Nobody's", id="kept", task_queue=task_queue, execution_timeout=timedelta(hours=1)
    )
    server.stop()
    server.start()
    assert server.address == address
    client = await Client.connect(address)
    described = await client.get_workflow_handle("kept").describe()
    assert described.task_queue == task_queue


def test_the_web_interface_answers(server: Temporal) -> None:
    """People can look at workflows in the browser."""
    server.start()
    connection = http.client.HTTPConnection(server.ui_url.removeprefix("http://"), timeout=WITHIN)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_stopped_server_is_gone(server: Temporal, temporal_server: Temporal) -> None:
    """When `stop` returns no process is left, and other servers are not affected."""
    server.start()
    pid = server.pid
    assert server.address != temporal_server.address
    server.stop()
    assert not is_alive(pid)
    assert is_alive(temporal_server.pid)


def test_a_server_that_cannot_start_reports_why(tmp_path: Path) -> None:
    """The error has the end of the log."""
    server = Temporal(tmp_path, search_attributes={"XnovuEnterpriseId": "Poem"})
    with pytest.raises(ServerFailed, match="Poem"):
        server.start()
    assert server.pid == 0


def test_a_server_dies_with_its_killed_owner(tmp_path: Path) -> None:
    """SIGKILL of the owner leaves no server behind."""
    with running(OWNER, tmp_path) as owner:
        pid = int(first_line(owner))
        assert is_alive(pid)
        kill(owner)
        wait_until(lambda: not is_alive(pid))
