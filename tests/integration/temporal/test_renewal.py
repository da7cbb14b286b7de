"""Certificates are read again when their files change, and the process goes on."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.support.authorities import Authority, Issued
from tests.support.encrypted import encrypted
from tests.support.logs import logged_in_full
from tests.support.ports import reserved_port
from xnovu_poller.temporal.client import Address
from xnovu_poller.temporal.renewal import Renewal


@workflow.defn
class Nothing:
    """Ends at once."""

    @workflow.run
    async def run(self) -> str:
        """Return a word."""
        return "done"


def put(issued: Issued, into: Issued) -> None:
    """Replace the files of a certificate and its key."""
    shutil.copyfile(issued.certificate, into.certificate)
    shutil.copyfile(issued.key, into.key)


def address_with(ours: Issued, authority: Path, port: int) -> Address:
    """Return the address of a server on this machine."""
    return Address(
        target=f"localhost:{port}",
        namespace="default",
        secure=True,
        certificate=ours.certificate,
        key=ours.key,
        authority=authority,
    )


def a_worker(client: Client, task_queue: str) -> Worker:
    """Build a worker."""
    return Worker(
        client, task_queue=task_queue, workflows=[Nothing], workflow_runner=UnsandboxedWorkflowRunner()
    )


async def run(client: Client, run_id: str) -> None:
    """Execute a workflow through the client; the worker polls its tasks."""
    assert await client.execute_workflow(Nothing.run, id=run_id, task_queue=run_id[:-2]) == "done"


async def refusal(renewal: Renewal, client: Client, worker: Worker) -> str:
    """Look, and return the log."""
    with logged_in_full() as written:
        await renewal.look(client, worker)
    return written.getvalue()


async def test_a_process_goes_on_under_new_certificates(
    temporal_address: str, task_queue: str, tmp_path: Path
) -> None:
    """A server that knows only the new authority gets calls and polls, from the same client and the same worker."""
    earlier, later = Authority(tmp_path, "earlier"), Authority(tmp_path, "later")
    ours, trusted = Issued(tmp_path / "ours.pem", tmp_path / "ours.key"), tmp_path / "trusted.pem"
    put(earlier.issue("first"), ours)
    shutil.copyfile(earlier.certificate, trusted)

    async with AsyncExitStack() as stack:
        port = stack.enter_context(reserved_port())
        async with encrypted(temporal_address, earlier.issue("server"), clients=earlier, port=port):
            renewal = Renewal(address_with(ours, trusted, port))
            client = await renewal.connect()
            before = client.service_client
            worker = await stack.enter_async_context(a_worker(client, task_queue))
            await run(client, f"{task_queue}-1")

            await renewal.look(client, worker)
            shutil.copyfile(later.certificate, trusted)
            assert "the issuer of its certificate is unknown" in await refusal(renewal, client, worker)
            ours.key.unlink()
            assert "FileNotFoundError" in await refusal(renewal, client, worker)
            assert client.service_client is before

        put(later.issue("second"), ours)
        async with encrypted(temporal_address, later.issue("server"), clients=later, port=port):
            await renewal.look(client, worker)
            assert client.service_client is not before
            await run(client, f"{task_queue}-2")
            await stack.aclose()


async def test_without_certificates_nothing_is_watched(temporal_address: str, task_queue: str) -> None:
    """The task ends at once."""
    renewal = Renewal(Address(target=temporal_address, namespace="default"))
    client = await renewal.connect()
    worker = a_worker(client, task_queue)

    await renewal.run(client, worker)
