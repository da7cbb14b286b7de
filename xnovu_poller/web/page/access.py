"""Who looks at the page: a person with the password, or whom an authenticating proxy names."""

import base64
import hashlib
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_urlsafe

from starlette.requests import HTTPConnection
from starlette.responses import Response

from xnovu_poller.web.proxies import Proxies

SESSION, SESSION_SECONDS = "xnovu_session", 12 * 3600
"""The cookie of a person who has given the password, and how long it holds."""

LONGEST_NAME = 60
"""Characters of a name that a person gives; the audit keeps 255 bytes."""

_MOST_NAME_BYTES = 255

_FREE_ATTEMPTS = 3
_LONGEST_WAIT = 300.0
_FORGOTTEN_AFTER = 3600.0
_ADDRESSES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person at the page.

    Attributes:
        name: for the audit.
        may_act: whether the person may change anything.
        missing_grant: the statement without which nobody can act, although people may.
    """

    name: str
    may_act: bool
    missing_grant: str | None = None


class Slowdown:
    """Makes an address wait after wrong passwords, twice as long each time; it keeps what happened in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return for how many seconds the address may not try."""
        count, at = self._failed.get(address, (0, 0.0))
        if count < _FREE_ATTEMPTS:
            return 0.0
        return max(0.0, at + min(_LONGEST_WAIT, 2.0 ** (count - _FREE_ATTEMPTS)) - self._clock())

    def fail(self, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        count, at = self._failed.pop(address, (0, now))
        self._failed[address] = (1 if now - at > _FORGOTTEN_AFTER else count + 1, now)
        if len(self._failed) > _ADDRESSES_KEPT:
            self._failed.popitem(last=False)

    def forget(self, address: str) -> None:
        """Forget the wrong passwords of an address, after the right one."""
        self._failed.pop(address, None)


class Access:
    """Knows who may look.

    The session is a signed cookie, so that any process of the API knows it. A change of the password ends all sessions.

    Args:
        password: opens the page; None: nobody can log in.
        header: the header in which a proxy names the person; believed only from `proxies`.
        may_act: whether people may change anything.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        header: str | None = None,
        proxies: Proxies | None = None,
        may_act: bool = False,
    ) -> None:
        self.proxies = proxies or Proxies()
        self.slowdown = Slowdown()
        self._header = header
        self._may_act = may_act
        # Slow, so that nobody finds a weak password by trying which signs a stolen cookie.
        self._key = password and hashlib.scrypt(
            password.encode(), salt=b"xnovu operator page", n=2**14, r=8, p=1
        )
        self._password = password

    @property
    def has_login(self) -> bool:
        """Whether people log in with a password."""
        return self._password is not None

    def find_viewer(self, request: HTTPConnection) -> Viewer | None:
        """Return who looks; None if nobody that we know."""
        if self._header is not None and self.proxies.sent(request):
            named = request.headers.getlist(self._header)
            # A second value may be the client's own.
            if len(named) == 1 and 0 < len(named[0].encode()) <= _MOST_NAME_BYTES:
                return Viewer(named[0], self._may_act)
        name = self._read_session(request.cookies.get(SESSION, ""))
        return None if name is None else Viewer(name, self._may_act)

    def is_password(self, given: str) -> bool:
        """Return whether this is the password; its time depends on nothing of it."""
        digests = [
            hashlib.sha256(text.encode()).digest() for text in (given, self._password or token_urlsafe())
        ]
        return hmac.compare_digest(*digests)

    def open_session(self, request: HTTPConnection, response: Response, name: str) -> None:
        """Give a person the cookie."""
        until = int(time.time()) + SESSION_SECONDS
        session = base64.urlsafe_b64encode(json.dumps([name, until]).encode()).decode()
        self.set_cookie(request, response, SESSION, f"{session}.{self._sign(session)}", SESSION_SECONDS)

    def set_cookie(
        self, request: HTTPConnection, response: Response, name: str, value: str, seconds: int | None = None
    ) -> None:
        """Set a cookie that no script reads and no other site sends."""
        secure = self.proxies.is_https(request)
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure, path="/"
        )

    def _read_session(self, cookie: str) -> str | None:
        session, _, signature = cookie.partition(".")
        if not self._key or not hmac.compare_digest(signature.encode(), self._sign(session).encode()):
            return None
        name, until = json.loads(base64.urlsafe_b64decode(session))
        return str(name) if time.time() < until else None

    def _sign(self, session: str) -> str:
        return hmac.new(self._key or b"", session.encode(), hashlib.sha256).hexdigest()
