"""Each fault of a connection has a sentence of its own, and counts against nobody."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.tcp import accepting
from tests.support.wire import event
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.errors import ConfigError, NovuUnavailable
from xnovu_poller.lifecycle import Refused
from xnovu_poller.novu import Novu

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
CALL = timedelta(seconds=30)


@asynccontextmanager
async def speaking_tls(certificate: str) -> AsyncIterator[str]:
    """Serve with a certificate; yield the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read(100_000)
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async with accepting(serve, context=context) as port:
        yield f"https://{LOOPBACK}:{port}"


async def fail(url: str, gate: Gate | None = None, call: timedelta = CALL) -> str:
    """Trigger an event that cannot leave us; return why."""
    novu = Novu(url, "key-1", call, gate or Gate())
    outcome = await novu.trigger(event())
    await novu.aclose()
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NovuUnavailable)
    assert not outcome.error.answered
    return str(outcome.error)


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("elsewhere", "its certificate is for another name; check the host in NOVU_API_URL"),
        ("expired", "its certificate has expired; renew it, or check the clock of this machine"),
        ("early", "its certificate is not valid yet; check the clock of this machine"),
        ("self-signed", "its certificate is self-signed; put it into SSL_CERT_FILE"),
    ],
)
async def test_each_fault_of_a_certificate_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, certificate: str, words: str
) -> None:
    """The operator learns what to correct, and the gate closes with the same words."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    gate = Gate(clock)
    async with speaking_tls(certificate) as url:
        assert await fail(url, gate) == f"Novu: cannot serve now ({words})"
    assert gate.reason == f"Novu: cannot serve now ({words})"
    assert gate.closed


async def test_an_unknown_issuer_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its authority in SSL_CERT_FILE, the same server is reached."""
    async with speaking_tls("valid") as url:
        assert "the issuer of its certificate is unknown" in await fail(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
        novu = Novu(url, "key-1", CALL, Gate())
        outcome = await novu.trigger(event())
        await novu.aclose()
    assert isinstance(outcome, Refused)
    assert str(outcome.error) == "Novu: cannot serve now (503)"


async def test_plain_http_where_tls_is_expected_has_its_sentence() -> None:
    """The address begins with https://, and the server does not speak TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async with accepting(serve) as port:
        assert "it speaks plain HTTP at this port" in await fail(f"https://{LOOPBACK}:{port}")


async def test_tls_where_plain_http_is_expected_has_its_sentence() -> None:
    """The address begins with http://; most servers just hang up, so we look whether they speak TLS."""
    async with speaking_tls("valid") as url:
        assert "it speaks TLS at this port; write https://" in await fail(url.replace("https", "http"))


async def test_an_alert_of_tls_where_plain_http_is_expected_has_its_sentence() -> None:
    """Some servers answer in the words of TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read(100_000)
            writer.write(b"\x15\x03\x01\x00\x02\x02\x0a")
            await writer.drain()

    async with accepting(serve) as port:
        assert "it speaks TLS at this port; write https://" in await fail(f"http://{LOOPBACK}:{port}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://{LOOPBACK}:1", "the connection was refused"),
        ("http://novu.invalid", "its name has no address"),
        (f"http://{'a' * 70}.test", "check NOVU_API_URL"),
        ("http://a..b", "check NOVU_API_URL"),
        ("http://novu.test:99999", "check NOVU_API_URL"),
        ("http://user:word@novu.test", "check"),
    ],
)
async def test_an_address_that_cannot_be_called_counts_against_nobody(url: str, words: str) -> None:
    """The call was never sent, for any error before the connection is made; the address is not quoted."""
    reason = await fail(url)
    assert words in reason
    assert "word@" not in reason


@pytest.mark.parametrize("proxy", ["::::", "http://a..b", f"http://{LOOPBACK}:1"])
async def test_a_proxy_that_cannot_be_used_counts_against_nobody(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The variable is named."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "HTTPS_PROXY" in await fail("https://novu.invalid")


async def test_a_handshake_that_never_ends_stops_in_time() -> None:
    """The server accepts the connection and stays silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read()

    async with accepting(serve) as port:
        # Half of it is for the connection; a slow machine must not use up the other half too.
        found = await fail(f"https://{LOOPBACK}:{port}", call=timedelta(seconds=6))
    assert "no connection was made in time" in found


def test_certificates_that_cannot_be_read_are_a_fault_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process does not start, so no notification pays for it."""
    (tmp_path / "authority.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE: its certificates cannot be read"):
        Novu("https://novu.invalid", "key-1", CALL, Gate())
