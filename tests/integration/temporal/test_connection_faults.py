"""Each fault of a connection to Temporal has its own sentence, which names the setting to correct."""

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from tests.support.authorities import Authority, Issued
from tests.support.encrypted import encrypted, server_context
from tests.support.ports import closed_port
from tests.support.proxy import LOOPBACK
from tests.support.tcp import accepting
from tests.support.waiting import WITHIN
from xnovu_poller.errors import TemporalInsecure, TemporalUnavailable
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal import connection_faults
from xnovu_poller.temporal.client import Address, connect


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fault is found only because a machine stands still meanwhile."""
    monkeypatch.setattr(temporal, "_CONNECT_SECONDS", WITHIN)
    monkeypatch.setattr(connection_faults, "_ANSWER_SECONDS", WITHIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    """Return the authority that both sides trust."""
    return Authority(folder)


@pytest.fixture(scope="module")
def valid(authority: Authority) -> Issued:
    """Return a certificate of this machine."""
    return authority.issue("valid")


@pytest.fixture(scope="module")
def address(authority: Authority) -> Address:
    """Return an address with TLS, without a port."""
    return Address(target="localhost", namespace="default", secure=True, authority=authority.certificate)


async def fault(address: Address, port: int) -> str:
    """Return the sentence about TLS with which a connection fails."""
    with pytest.raises(TemporalInsecure) as caught:
        await connect(replace(address, target=f"localhost:{port}"))
    return str(caught.value)


async def test_with_tls_on_both_sides_it_connects(
    temporal_address: str, authority: Authority, valid: Issued, address: Address
) -> None:
    """With a client certificate, and under another name as well."""
    elsewhere = authority.issue("elsewhere", "temporal.example")
    async with encrypted(temporal_address, elsewhere, clients=authority) as proxy:
        named = replace(address, target=f"localhost:{proxy.port}", server_name="temporal.example")
        await connect(replace(named, certificate=valid.certificate, key=valid.key))


BITS = {
    "B": "1011101",
    "e": "00101",
    "a": "00011",
    "r": "101100",
    " ": "010100",
    "h": "100111",
    "u": "101101",
    "s": "01000",
}
"""How HTTP/2 writes letters of a header. Source: RFC 7541, appendix B."""


def huffman(text: str) -> bytes:
    """Return a header's value as HTTP/2 sends it."""
    bits = "".join(BITS[letter] for letter in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


async def test_an_api_key_travels_in_each_call_over_tls(
    temporal_address: str, valid: Issued, address: Address
) -> None:
    """Temporal Cloud asks for it; with a key it needs no client certificate."""
    async with encrypted(temporal_address, valid) as proxy:
        await connect(replace(address, target=f"localhost:{proxy.port}"))
        assert huffman("Bearer hush") not in proxy.asked
        await connect(replace(address, target=f"localhost:{proxy.port}", api_key="hush"))
        assert huffman("Bearer hush") in proxy.asked


async def test_an_unknown_issuer_is_named(temporal_address: str, valid: Issued, address: Address) -> None:
    """The well-known authorities have not issued it."""
    async with encrypted(temporal_address, valid) as proxy:
        assert "the issuer of its certificate is unknown; set TEMPORAL_SERVER_CA_PATH" in await fault(
            replace(address, authority=None), proxy.port
        )


async def test_another_name_is_named(temporal_address: str, authority: Authority, address: Address) -> None:
    """The address leads to another server, or the certificate is for another address."""
    async with encrypted(temporal_address, authority.issue("another", "another.example")) as proxy:
        assert "its certificate has another name; check TEMPORAL_ADDRESS" in await fault(address, proxy.port)


async def test_an_expired_certificate_is_named(
    temporal_address: str, authority: Authority, address: Address
) -> None:
    """Somebody has to renew it."""
    expired = authority.issue("expired", ends=timedelta(hours=-1))
    async with encrypted(temporal_address, expired) as proxy:
        assert "its certificate has expired" in await fault(address, proxy.port)


async def test_a_certificate_that_is_not_valid_yet_is_named(
    temporal_address: str, authority: Authority, address: Address
) -> None:
    """A clock may be wrong."""
    early = authority.issue("early", begins=timedelta(days=1))
    async with encrypted(temporal_address, early) as proxy:
        assert "its certificate is not valid yet; check the clocks" in await fault(address, proxy.port)


async def test_a_missing_client_certificate_is_named(
    temporal_address: str, authority: Authority, valid: Issued, address: Address
) -> None:
    """The server closes the connection only after the handshake."""
    async with encrypted(temporal_address, valid, clients=authority) as proxy:
        assert "the server wants a client certificate; set TEMPORAL_CLIENT_CERT_PATH" in await fault(
            address, proxy.port
        )


async def test_a_refused_client_certificate_is_named(
    temporal_address: str, authority: Authority, valid: Issued, address: Address, folder: Path
) -> None:
    """Another authority has issued it."""
    foreign = Authority(folder, "foreign").issue("foreigner")
    ours = replace(address, certificate=foreign.certificate, key=foreign.key)
    async with encrypted(temporal_address, valid, clients=authority) as proxy:
        assert "the server refuses our certificate; check TEMPORAL_CLIENT_CERT_PATH" in await fault(
            ours, proxy.port
        )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
async def test_an_alert_about_the_client_certificate_is_read(
    version: ssl.TLSVersion, authority: Authority, valid: Issued, address: Address
) -> None:
    """A server on a blocking socket sends the alert before it closes, as Temporal does."""
    context = server_context(valid, authority)
    context.minimum_version = context.maximum_version = version

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(client, server_side=True) as connection:
                    connection.recv(1)

    with socket.create_server((LOOPBACK, 0)) as listener:
        serving = Thread(target=serve, args=[listener])
        serving.start()
        found = await fault(address, listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()
    assert "the server wants a client certificate" in found


async def test_a_key_of_another_certificate_is_named(
    temporal_address: str, authority: Authority, valid: Issued, address: Address
) -> None:
    """The files may have changed since the settings were checked."""
    other = authority.issue("other")
    async with encrypted(temporal_address, valid) as proxy:
        ours = replace(address, certificate=valid.certificate, key=other.key)
        assert "our key does not belong to our certificate" in await fault(ours, proxy.port)


async def test_a_server_without_tls_is_named(temporal_address: str, address: Address) -> None:
    """A development server, for example."""
    port = int(temporal_address.rpartition(":")[2])

    assert "the server does not use TLS; set TEMPORAL_TLS=off" in await fault(address, port)


async def test_a_server_that_expects_tls_is_named(
    temporal_address: str, valid: Issued, address: Address
) -> None:
    """With and without client certificates."""
    async with encrypted(temporal_address, valid) as proxy:
        assert "the server uses TLS, and we do not; set TEMPORAL_TLS=on" in await fault(
            replace(address, secure=False), proxy.port
        )


async def test_other_faults_have_sentences_too(temporal_address: str) -> None:
    """No sentence contains the address, because /health shows it to anybody."""
    with closed_port() as port:
        for target, words in [
            (f"{LOOPBACK}:{port}", "nothing listens there; check TEMPORAL_ADDRESS"),
            ("nowhere.invalid:7233", "its host is unknown; check TEMPORAL_ADDRESS"),
        ]:
            with pytest.raises(TemporalUnavailable, match=words) as caught:
                await connect(Address(target=target, namespace="default"))
            assert target not in str(caught.value)


async def test_a_server_that_is_not_temporal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server answers in another protocol, and another accepts connections and does nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)  # a close before that may reset the connection, and the answer is lost
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async with accepting(answer) as port:
        with pytest.raises(TemporalUnavailable, match="the server is not Temporal: it does not speak gRPC"):
            await connect(Address(target=f"{LOOPBACK}:{port}", namespace="default"))
    monkeypatch.setattr(temporal, "_CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(connection_faults, "_ANSWER_SECONDS", 0.5)
    with socket.create_server((LOOPBACK, 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TemporalUnavailable, match="no connection; check TEMPORAL_ADDRESS"):
            await connect(Address(target=f"{LOOPBACK}:{port}", namespace="default"))
