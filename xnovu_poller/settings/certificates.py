"""Files of certificates and keys, looked into at the start: a fault there would look like a server that is away."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n.+?\n-----END CERTIFICATE-----", re.DOTALL)

_SEQUENCE, _CONTEXT_0, _UTC_TIME = 0x30, 0xA0, 0x17
"""Tags of DER. Source: RFC 5280, section 4.1."""


def check_certificate(path: Path) -> Path:
    """Return the path of a certificate that is valid now.

    Raises:
        ValueError: no certificate is there, or its time has passed or not come.
    """
    first, last = _validity(_read_certificates(path)[0])
    if datetime.now(UTC) > last:
        raise ValueError(f"has a certificate that expired at {last.isoformat()}; renew it")
    if datetime.now(UTC) < first:
        raise ValueError(f"has a certificate that is valid only from {first.isoformat()} on")
    return path


def check_authority(path: Path) -> Path:
    """Return the path of the certificates of authorities.

    Raises:
        ValueError: no certificate is there.
    """
    for der in _read_certificates(path):
        _validity(der)
    return path


def check_key(certificate: Path, key: Path) -> Path:
    """Return the path of the private key of a certificate.

    Args:
        certificate: has been checked.

    Raises:
        ValueError: no private key is there, it is encrypted, or it belongs to another certificate.
    """

    def refuse() -> str:
        raise ValueError("has a key that is encrypted; write it without a passphrase")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise ValueError("has a key that does not belong to TEMPORAL_CLIENT_CERT_PATH") from None
        raise ValueError("has no private key in PEM") from None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    return key


def _read_certificates(path: Path) -> list[bytes]:
    """Return the certificates of a PEM file as DER, at least one."""
    try:
        blocks = _PEM.findall(path.read_bytes().replace(b"\r\n", b"\n"))
        found = [ssl.PEM_cert_to_DER_cert(block.decode("ascii")) for block in blocks]
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except ValueError:
        found = []
    if not found:
        raise ValueError("has no certificate in PEM")
    return found


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """Return the first and the last moment of a certificate's validity."""
    try:
        [(_, certificate)] = _elements(der)
        _, to_be_signed = next(_elements(certificate))
        fields = [content for tag, content in _elements(to_be_signed) if tag != _CONTEXT_0]
        # Serial number, algorithm, issuer, validity.
        first, last = (_read_time(tag, content) for tag, content in _elements(fields[3]))
    except (ValueError, IndexError, StopIteration):
        raise ValueError("has no certificate in PEM") from None
    return first, last


def _read_time(tag: int, content: bytes) -> datetime:
    digits = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of the year: up to 49 they mean this century.
        digits = ("20" if digits[:2] < "50" else "19") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in turn."""
    while der:
        tag, length, start = der[0], der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield tag, der[start : start + length]
        der = der[start + length :]
