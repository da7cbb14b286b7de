"""Addresses that cannot work are refused with a sentence that contains what to write."""

import pytest

from xnovu_poller.settings.network import check_host, check_host_and_port, check_http_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.novu.co",
        "http://localhost:3000",
        "HTTPS://API.NOVU.CO",
        "http://novu_api:80/api",
        "http://[::1]:3000/novu",
        "http://[::1]",
        "http://127.0.0.1:65535",
        "http://novu.example.",
        "http://novu.example/a%20b/v1x",
    ],
)
def test_an_address_that_can_work_is_kept(url: str) -> None:
    """Only the slash at its end goes, because each call begins with another."""
    assert check_http_url(url) == url
    assert check_http_url(f"{url}/") == url


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("api.novu.co", "must have the form http://host or https://host"),
        ("localhost:3000", "must have the form http://host or https://host"),
        ("ftp://novu", "must have the form http://host or https://host"),
        ("https:/api.novu.co", "must have the form http://host or https://host"),
        ("https://", "must have the form http://host or https://host"),
        ("https:///v1", "must have the form http://host or https://host"),
        ("http://u:hush@novu", "without a login"),
        ("http://hush@novu", "without a login"),
        ("http://novu?hush=1", r"without `\?` and `#`"),
        ("http://novu/api#hush", r"without `\?` and `#`"),
        ("http://novu/?", r"without `\?` and `#`"),
        ("https://api.novu.co/v1", "must end before `/v1`"),
        ("https://api.novu.co/v1/", "must end before `/v1`"),
        ("http://novu/api/v2", "must end before `/v1`"),
        ("https://api.novu.co/v1/events/trigger", "must end before `/v1`"),
        ("http://novu:99999", "a port that cannot exist"),
        ("http://novu:0", "a port that cannot exist"),
        ("http://novu:", "a port that cannot exist"),
        ("http://novu:hush", "a port that cannot exist"),
        ("http://novu:-1", "a port that cannot exist"),
        ("http://novu:٣٠٠٠", "a port that cannot exist"),
        ("http://a..b", "a host name that cannot exist"),
        ("http://.novu", "a host name that cannot exist"),
        (f"http://{'a' * 70}", "a host name that cannot exist"),
        (f"http://{'.'.join(['a' * 60] * 5)}", "a host name that cannot exist"),
        ("http://-novu", "a host name that cannot exist"),
        ("http://:3000", "a host name that cannot exist"),
        ("http://no vu", "a host name that cannot exist"),
        ("http://nóvu", "a host name that cannot exist"),
        ("http://novu\\api", "a host name that cannot exist"),
        ("http://novu,other", "a host name that cannot exist"),
        ("http://256.1.1.1", "no IPv4 address"),
        ("http://1.2.3", "no IPv4 address"),
        ("http://::1", "stands in brackets"),
        ("http://[::1", "stands in brackets"),
        ("http://[::g]", "IPv6"),
        ("http://novu/a b", "a character in its path"),
        ("http://novu/ä", "a character in its path"),
        ("http://novu/a\\b", "a character in its path"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, rule: str) -> None:
    """Otherwise each notification would fail; the sentence repeats no part of the value."""
    with pytest.raises(ValueError, match=rule) as caught:
        check_http_url(url)

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "address",
    ["localhost:7233", "ns.a1b2c.tmprl.cloud:7233", "127.0.0.1:1", "[::1]:7233", "temporal_1:65535"],
)
def test_a_host_with_a_port_is_kept(address: str) -> None:
    """Temporal's address has no scheme."""
    assert check_host_and_port(address) == address


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("localhost", "usual port is 7233"),
        ("[::1]", "usual port is 7233"),
        ("https://temporal:7233", "without `https://`"),
        ("temporal:7233/ns", "without `https://`"),
        ("user:hush@temporal:7233", "without `https://`"),
        ("::1:7233", "stands in brackets"),
        ("temporal:0", "a port that cannot exist"),
        ("temporal:", "a port that cannot exist"),
        ("temporal:99999", "a port that cannot exist"),
        ("temporal:7233x", "a port that cannot exist"),
        (":7233", "a host name that cannot exist"),
        ("a..b:7233", "a host name that cannot exist"),
        ("tem poral:7233", "a host name that cannot exist"),
        (f"{'a' * 70}:7233", "a host name that cannot exist"),
        ("1.2.3.4.5:7233", "no IPv4 address"),
        ("[::g]:7233", "not an IPv6 address"),
        ("[temporal]:7233", "a host name that cannot exist"),
    ],
)
def test_other_forms_are_refused(address: str, rule: str) -> None:
    """The worker would wait for it without end."""
    with pytest.raises(ValueError, match=rule) as caught:
        check_host_and_port(address)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost", "worker.example"])  # noqa: S104 - never bound
def test_a_host_to_listen_on_is_kept(host: str) -> None:
    """IPv6 needs no brackets where no port follows."""
    assert check_host(host) == host
