"""Why no connection to Temporal can be made: the SDK raises one bare error for everything, and we name the fault."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

from xnovu_poller.errors import TemporalInsecure, TemporalUnavailable

_ANSWER_SECONDS = 3.0

_TLS_FAULTS: Mapping[str, str] = {
    "UnknownIssuer": "the issuer of its certificate is unknown; set TEMPORAL_SERVER_CA_PATH to the issuer's certificate",
    "NotValidForName": "its certificate has another name; check TEMPORAL_ADDRESS, or set TEMPORAL_TLS_SERVER_NAME",
    "NotValidYet": "its certificate is not valid yet; check the clocks",
    "Expired": "its certificate has expired; renew it",
    "UnsupportedCertVersion": "its certificate is of X.509 version 1; issue one of version 3",
    "KeyMismatch": "our key does not belong to our certificate; check TEMPORAL_CLIENT_KEY_PATH",
    "PrivateKeyParseError": "our key cannot be read; check TEMPORAL_CLIENT_KEY_PATH",
    "InvalidContentType": "the server does not use TLS; set TEMPORAL_TLS=off, or check TEMPORAL_ADDRESS",
}
"""Words in the SDK's error, from its TLS library rustls, and our sentence."""

_FAULTS: Mapping[str, str] = {
    "dns error": "its host is unknown; check TEMPORAL_ADDRESS",
    "ConnectionRefused": "nothing listens there; check TEMPORAL_ADDRESS",
}
"""The same for faults below TLS."""

_NO_CLIENT = (
    "the server wants a client certificate; set TEMPORAL_CLIENT_CERT_PATH and TEMPORAL_CLIENT_KEY_PATH"
)
_BAD_CLIENT = "the server refuses our certificate; check TEMPORAL_CLIENT_CERT_PATH"
_TLS_EXPECTED = "the server uses TLS, and we do not; set TEMPORAL_TLS=on"
_OTHER_SERVER = "the server is not Temporal: it does not speak gRPC; check TEMPORAL_ADDRESS"


def find_tls_fault(message: str) -> str | None:
    """Return our sentence for an error of the SDK about TLS; None for another error."""
    return next((fault for words, fault in _TLS_FAULTS.items() if words in message), None)


async def explain(
    error: Exception, target: str, *, secure: bool, certificate: Path | None, key: Path | None
) -> TemporalUnavailable:
    """Return our error for a connection that the SDK could not make; if its words are not enough, ask the server.

    Args:
        error: of the SDK.
        target: host and port.
        secure: whether TLS was used.
        certificate: our client certificate.
        key: of `certificate`.
    """
    message = str(error)
    if fault := find_tls_fault(message):
        return TemporalInsecure(fault)
    if reason := next((reason for words, reason in _FAULTS.items() if words in message), None):
        return TemporalUnavailable(reason)
    if await _is_refused(target, certificate, key) if secure else await _speaks_tls(target):
        return TemporalInsecure(
            _TLS_EXPECTED if not secure else _NO_CLIENT if certificate is None else _BAD_CLIENT
        )
    if "http2 error" in message:
        return TemporalUnavailable(_OTHER_SERVER)
    return TemporalUnavailable("no connection; check TEMPORAL_ADDRESS")


async def _is_refused(target: str, certificate: Path | None, key: Path | None) -> bool:
    """Return whether the server ends a connection because of our client certificate, or because we have none.

    In TLS 1.3 it does that after the handshake, with an alert or without; otherwise it would wait for our request.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await _shake_hands(target, certificate, key)
            try:
                return not await reader.read(1)
            finally:
                writer.close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, TimeoutError):
        return False


async def _speaks_tls(target: str) -> bool:
    """Return whether the server answers a TLS handshake."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            _, writer = await _shake_hands(target, None, None)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _shake_hands(
    target: str, certificate: Path | None, key: Path | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect over TLS; send nothing, and do not check the server's certificate.

    Raises:
        ssl.SSLError: the server does not use TLS, or it refuses us with an alert.
        OSError: no connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
