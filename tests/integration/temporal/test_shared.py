"""The connection that all requests of a process share."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.temporal.test_renewal import put
from tests.support.authorities import Authority, Issued
from tests.support.encrypted import encrypted
from tests.support.ports import reserved_port
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.settings import TemporalAddressSettings
from xnovu_poller.temporal.client import probe
from xnovu_poller.temporal.shared import SharedClient


@pytest.fixture
def port() -> Iterator[int]:
    """Yield the port of a server that goes and comes back."""
    with reserved_port() as port:
        yield port


async def test_it_is_made_again_when_certificates_change(
    temporal_address: str, tmp_path: Path, port: int
) -> None:
    """And is kept as long as they do not fit each other."""
    earlier, later = Authority(tmp_path, "earlier"), Authority(tmp_path, "later")
    ours, trusted = Issued(tmp_path / "ours.pem", tmp_path / "ours.key"), tmp_path / "trusted.pem"
    put(earlier.issue("first"), ours)
    shutil.copyfile(earlier.certificate, trusted)
    async with encrypted(temporal_address, earlier.issue("server"), clients=earlier, port=port):
        shared = SharedClient(
            TemporalAddressSettings.model_validate(
                {
                    "TEMPORAL_ADDRESS": f"localhost:{port}",
                    "TEMPORAL_TLS": True,
                    "TEMPORAL_CLIENT_CERT_PATH": ours.certificate,
                    "TEMPORAL_CLIENT_KEY_PATH": ours.key,
                    "TEMPORAL_SERVER_CA_PATH": trusted,
                }
            )
        )
        first = await shared.lend()
        shutil.copyfile(later.certificate, trusted)
        assert await shared.lend() is first
        ours.key.unlink()
        assert await shared.lend() is first

    put(later.issue("second"), ours)
    async with encrypted(temporal_address, later.issue("server"), clients=later, port=port):
        second = await shared.lend()
        assert second is not first
        await probe(second)
        assert await shared.lend() is second


async def test_all_who_wait_share_an_attempt() -> None:
    """One after the other, each request would wait for all before it."""
    shared = SharedClient(TemporalAddressSettings.model_validate({"TEMPORAL_ADDRESS": "127.0.0.1:1"}))

    failed, *others = await asyncio.gather(*(shared.lend() for _ in range(3)), return_exceptions=True)

    assert isinstance(failed, TemporalUnavailable)
    assert all(error is failed for error in others)
