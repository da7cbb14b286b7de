"""Why no connection to Novu was made, as a sentence: each fault has its own cure."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import timedelta

import aiohttp

_ISSUER = "the issuer of its certificate is unknown; put its authority into SSL_CERT_FILE"
_HOST = "its certificate is for another name; check the host in NOVU_API_URL"

_CERTIFICATES = {
    2: _ISSUER,
    9: "its certificate is not valid yet; check the clock of this machine",
    10: "its certificate has expired; renew it, or check the clock of this machine",
    18: "its certificate is self-signed; put it into SSL_CERT_FILE",
    19: _ISSUER,
    20: _ISSUER,
    21: _ISSUER,
    62: _HOST,
    64: _HOST,
}
"""By OpenSSL's code of a verification. Source: OpenSSL, x509_vfy.h."""

_LOOK = timedelta(seconds=1)
"""How long a look at a server may take."""

TLS_EXPECTED = "it speaks TLS at this port; write https:// in NOVU_API_URL"
_PLAIN = "it speaks plain HTTP at this port; write http:// or another port in NOVU_API_URL"
_KEY = "its certificate and its key do not belong together; correct them at the server"
_VERSION = "it speaks no version of TLS that we do; update the server"

_HANDSHAKES = {
    "BAD_SIGNATURE": _KEY,
    "HTTP_REQUEST": _PLAIN,
    "KEY_VALUES_MISMATCH": _KEY,
    "PACKET_LENGTH_TOO_LONG": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "WRONG_SIGNATURE_TYPE": _KEY,
    "WRONG_VERSION_NUMBER": _PLAIN,
}
"""By OpenSSL's reason of an error."""

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (
        aiohttp.ClientProxyConnectionError,
        "the proxy of this environment cannot be reached; check HTTPS_PROXY",
    ),
    (aiohttp.ClientConnectorDNSError, "its name has no address; check the host in NOVU_API_URL"),
    (aiohttp.InvalidURL, "the address cannot be used; check NOVU_API_URL and HTTPS_PROXY"),
    (aiohttp.ConnectionTimeoutError, "no connection was made in time; check NOVU_API_URL and the firewall"),
    (ConnectionRefusedError, "the connection was refused; does it run there?"),
    (OSError, "no connection was made; check NOVU_API_URL and the network"),
)


def explain(error: Exception) -> str:
    """Return why a call never left us. The sentence contains nothing of the error's text, which may quote an address."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy of this environment answers {error.status}; check HTTPS_PROXY"
    causes = list(_causes(error))
    # aiohttp's own errors of TLS are kinds of these, but they lack OpenSSL's codes.
    for cause in (cause for cause in causes if not isinstance(cause, aiohttp.ClientError)):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATES.get(
                cause.verify_code, "its certificate is not valid; correct it at the server"
            )
        if isinstance(cause, ssl.SSLError):
            other = f"the TLS handshake failed ({cause.reason}); check NOVU_API_URL"
            return _HANDSHAKES.get(cause.reason or "", other)
    for kind, sentence in _KINDS:
        if any(isinstance(cause, kind) for cause in causes):
            return sentence
    return f"the call could not be made ({type(error).__name__}); check NOVU_API_URL and HTTPS_PROXY"


async def speaks_tls(host: str, port: int) -> bool:
    """Return whether a server that hung up speaks TLS: then it has not understood a word of plain HTTP."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_LOOK.total_seconds()):
            _, writer = await asyncio.open_connection(host, port, ssl=anybody)
    except OSError:  # TimeoutError is an OSError
        return False
    writer.transport.abort()
    return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__
