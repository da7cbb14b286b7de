"""Files of certificates and keys that cannot work are refused at the start, each with its own sentence."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.authorities import Authority, Issued, encrypt
from xnovu_poller.settings.certificates import check_authority, check_certificate, check_key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all tests of this file use."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Issued:
    """Return a certificate that is valid, with its key."""
    return authority.issue("client")


def fault(check: Callable[[], object]) -> str:
    """Return the sentence of a refusal."""
    with pytest.raises(ValueError, match=r".") as caught:
        check()
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_files_that_fit_are_kept(authority: Authority, client: Issued) -> None:
    """A file may hold a chain, and text around the certificates."""
    chain = client.certificate.with_name("chain.pem")
    whole = client.certificate.read_text() + "an authority:\r\n" + authority.certificate.read_text()
    chain.write_text(whole.replace("\n", "\r\n"))

    assert check_certificate(chain) == chain
    assert check_key(chain, client.key) == client.key
    assert check_authority(authority.certificate) == authority.certificate


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    """The sentence contains when it expired."""
    expired = authority.issue("expired", ends=timedelta(hours=-1))

    assert "has a certificate that expired at 20" in fault(lambda: check_certificate(expired.certificate))


def test_a_certificate_of_the_future_is_refused(authority: Authority) -> None:
    """Perhaps the clock of this machine is wrong."""
    early = authority.issue("early", begins=timedelta(days=1))

    assert "has a certificate that is valid only from 20" in fault(
        lambda: check_certificate(early.certificate)
    )


def test_a_certificate_far_in_the_future_is_read(authority: Authority) -> None:
    """From 2050 on, DER writes the year with four digits."""
    lasting = authority.issue("lasting", ends=timedelta(days=36_000))

    assert check_certificate(lasting.certificate) == lasting.certificate


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n\xff\n-----END CERTIFICATE-----\n",
        b"\x30\x82\x01\x00",
    ],
)
def test_a_file_without_a_certificate_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whether it is the client's or an authority's."""
    path = tmp_path / "file.pem"
    path.write_bytes(content)

    assert fault(lambda: check_certificate(path)) == "has no certificate in PEM"
    assert fault(lambda: check_authority(path)) == "has no certificate in PEM"


def test_a_file_that_cannot_be_read_is_refused(client: Issued) -> None:
    """Not even root can read from the start of its own memory."""
    unreadable = Path("/proc/self/mem")

    assert fault(lambda: check_certificate(unreadable)).startswith("cannot be read (")
    assert fault(lambda: check_authority(unreadable)).startswith("cannot be read (")
    assert fault(lambda: check_key(client.certificate, unreadable))


def test_a_key_of_another_certificate_is_refused(authority: Authority, client: Issued) -> None:
    """Somebody has renewed one file and forgotten the other."""
    other = authority.issue("other")

    assert fault(lambda: check_key(client.certificate, other.key)) == (
        "has a key that does not belong to TEMPORAL_CLIENT_CERT_PATH"
    )


def test_a_file_without_a_key_is_refused(client: Issued, tmp_path: Path) -> None:
    """For example, the certificate once more."""
    (tmp_path / "key.pem").write_text("garbage")

    for path in (tmp_path / "key.pem", client.certificate):
        assert fault(lambda path=path: check_key(client.certificate, path)) == "has no private key in PEM"  # type: ignore[misc] # mypy cannot infer a lambda's default


def test_an_encrypted_key_is_refused(client: Issued, tmp_path: Path) -> None:
    """Nobody is there to enter the passphrase."""
    key = encrypt(client.key, tmp_path / "encrypted.key")

    assert "without a passphrase" in fault(lambda: check_key(client.certificate, key))
