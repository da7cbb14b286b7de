"""Who looks at the operator's page, and what a stranger cannot pretend."""

from ipaddress import ip_network

import pytest
from starlette.requests import Request
from starlette.responses import Response

from xnovu_poller.web.page.access import SESSION, Access, Slowdown, Viewer
from xnovu_poller.web.proxies import Proxies

PASSWORD = "correct horse battery"
PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def request(client: str = "192.0.2.7", **headers: str) -> Request:
    """Return a request of an address."""
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": named}
    return Request({**scope, "client": (client, 1), "server": ("page", 80), "scheme": "http"})


def session_of(access: Access, name: str = "ann", asked: Request | None = None) -> tuple[str, str]:
    """Return the cookie of a person who has logged in, and its attributes."""
    response = Response()
    access.open_session(asked or request(), response, name)
    cookie, _, attributes = response.headers["set-cookie"].partition(";")
    return cookie.partition("=")[2].strip('"'), attributes


def viewer_of(access: Access, session: str) -> Viewer | None:
    """Return who has a cookie."""
    return access.find_viewer(request(cookie=f"{SESSION}={session}"))


def test_a_session_is_what_we_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any process with the password knows it; a changed name, another password and a time that is over end it."""
    session, attributes = session_of(Access(password=PASSWORD))
    assert viewer_of(Access(password=PASSWORD, may_act=True), session) == Viewer("ann", may_act=True)
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in attributes.split(";")}
    assert "Secure" not in attributes

    other, _ = session_of(Access(password=PASSWORD), "root")
    forged = f"{other.partition('.')[0]}.{session.partition('.')[2]}"
    for faulty in (forged, session[:-1], "", ".", "x.y", session.partition(".")[0] + "."):
        assert viewer_of(Access(password=PASSWORD), faulty) is None
    assert viewer_of(Access(password=f"{PASSWORD}!"), session) is None
    assert viewer_of(Access(header="X-Forwarded-User"), session) is None
    monkeypatch.setattr("xnovu_poller.web.page.access.time.time", lambda: 4e9)
    assert viewer_of(Access(password=PASSWORD), session) is None


def test_a_cookie_goes_only_over_https_where_there_is_https() -> None:
    """Behind a proxy, the proxy knows; a stranger's header does not count."""
    access = Access(password=PASSWORD, proxies=PROXIES)

    assert "Secure" in session_of(access, asked=request("10.1.2.3", x_forwarded_proto="https"))[1]
    assert "Secure" not in session_of(access, asked=request(x_forwarded_proto="https"))[1]


def test_only_a_trusted_proxy_names_people() -> None:
    """Neither a stranger nor a second header beside the proxy's own."""
    access = Access(header="X-Forwarded-User", proxies=PROXIES)

    assert access.find_viewer(request("10.1.2.3", x_forwarded_user="bob")) == Viewer("bob", may_act=False)
    assert access.find_viewer(request("::ffff:10.1.2.3", x_forwarded_user="bob")) is not None
    assert access.find_viewer(request("192.0.2.7", x_forwarded_user="bob")) is None
    assert access.find_viewer(request("10.1.2.3")) is None
    assert access.find_viewer(request("10.1.2.3", x_forwarded_user="")) is None
    assert access.find_viewer(request("10.1.2.3", x_forwarded_user="b" * 300)) is None
    twice = request("10.1.2.3", x_forwarded_user="bob")
    twice.scope["headers"].append((b"x-forwarded-user", b"root"))
    assert access.find_viewer(Request(twice.scope)) is None


def test_wrong_passwords_make_an_address_wait() -> None:
    """Longer each time, up to a bound; other addresses do not wait, but those of one IPv6 network do."""
    now = 1000.0
    slowdown = Slowdown(lambda: now)
    for _ in range(3):
        assert slowdown.wait("192.0.2.7") == 0
        slowdown.fail("192.0.2.7")
    assert slowdown.wait("192.0.2.7") == 1
    assert slowdown.wait("192.0.2.8") == 0
    for _ in range(20):
        slowdown.fail("192.0.2.7")
        slowdown.fail("2001:db8::/64")
    assert slowdown.wait("192.0.2.7") == 300
    assert slowdown.wait("2001:db8::/64") == 300
    assert slowdown.wait("2001:db8:0:1::/64") == 0
    slowdown.forget("192.0.2.7")
    assert slowdown.wait("192.0.2.7") == 0
