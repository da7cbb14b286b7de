"""Certificates of an authority that a test makes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        """Make the authority, and write its own certificate."""
        self._folder = folder
        self._authority = trustme.CA(organization_name=name)
        self.certificate = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def issue(
        self,
        file: str,
        *names: str,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=30),
    ) -> Issued:
        """Issue a certificate.

        Args:
            file: the name of its files.
            names: the hosts for which it is valid; none: this machine.
            begins: when it begins to be valid, from now.
            ends: when it expires, from now.
        """
        issued = Issued(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        now = datetime.now(UTC)
        made = self._authority.issue_cert(
            *(names or ("localhost", "127.0.0.1")), not_before=now + begins, not_after=now + ends
        )
        made.cert_chain_pems[0].write_to_path(issued.certificate)
        made.private_key_pem.write_to_path(issued.key)
        return issued


def encrypt(key: Path, into: Path) -> Path:
    """Write a private key with a passphrase; return its path."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
    into.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    return into
