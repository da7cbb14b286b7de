"""Who may call the API, and how often: keys, addresses, and the token buckets of both."""

import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from xnovu_poller.store.api_keys import Rates, Refusal, Scope, admit, read_key
from xnovu_poller.store.engine import Engine
from xnovu_poller.web.api.operation import Caller
from xnovu_poller.web.api.problems import Fault, Problem
from xnovu_poller.web.proxies import Proxies

BURST_SECONDS = 5.0
"""A bucket holds the requests of this many seconds."""

WRONG_KEYS_RATE = 2.0
"""Wrong keys a second that an address may show; further wrong keys are answered without a look into the database."""

_MOST_REMEMBERED = 10_000
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="xnovu"'}
_SCHEMES = ("bearer", "apikey")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller, and the headers that name the rest of its limit."""

    caller: Caller
    headers: Mapping[str, str]


class Admission:
    """Admits requests.

    Args:
        engine: the pool of the API.
        key_rate: requests a second of a key.
        address_rate: requests a second of an address.
        proxies: those whose X-Forwarded-For is believed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        key_rate: float,
        address_rate: float,
        proxies: Proxies,
    ) -> None:
        self._engine = engine
        self._rates = Rates(key_rate, address_rate, WRONG_KEYS_RATE, BURST_SECONDS)
        self._proxies = proxies
        self._waits = _Waits()

    async def admit(self, request: Request) -> Admitted:
        """Find the key of a request, and count the request.

        Raises:
            Problem: it has no key that is accepted, or is one too many.
            StoreUnavailable: PostgreSQL does not answer.
        """
        address = self._proxies.address_of(request)
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        key = read_key(shown.strip()) if scheme.lower() in _SCHEMES else None
        if key is None:
            raise unauthorized()
        prefix, hashed = key
        # Not by the prefix: who knows only that must not make others wait.
        by_address, by_key = f"address {address}", f"key {address} {hashed.hex()}"
        self._waits.check(by_address, by_key)
        found = await admit(self._engine, key, address, self._rates)
        match found.refusal:
            case None:
                return Admitted(
                    Caller(prefix, found.enterprise_id, found.scopes), self._headers(found.left_over)
                )
            case Refusal.KEY:
                raise unauthorized()
            case Refusal.ADDRESS:
                raise self._waits.begin(by_address, -found.left_over / self._rates.address)
            case Refusal.WRONG:
                raise self._waits.begin(by_key, -found.left_over / self._rates.wrong_keys)
            case Refusal.RATE:
                raise self._waits.begin(by_key, -found.left_over / self._rates.key)

    def _headers(self, left_over: float) -> dict[str, str]:
        quota = int(self._rates.key * BURST_SECONDS)
        left, full_in = int(left_over), math.ceil((quota - left_over) / self._rates.key)
        return {
            "RateLimit-Policy": f'"key";q={quota};w={BURST_SECONDS:g}',
            "RateLimit": f'"key";r={left};t={full_in}',
            "RateLimit-Limit": str(quota),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(full_in),
        }


def require(caller: Caller, scope: Scope) -> None:
    """Refuse a key without the scope.

    Raises:
        Problem: it has not.
    """
    if scope not in caller.scopes:
        raise Problem(Fault.FORBIDDEN, f"it needs a key with the scope {scope}")


def unauthorized() -> Problem:
    """Return the same problem for each key that is not accepted."""
    return Problem(
        Fault.UNAUTHORIZED, "send a valid key: `Authorization: Bearer xnovu_…`", headers=_CHALLENGE
    )


class _Waits:
    """Who has to wait, so that a client that does not costs no statement."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def check(self, *names: str) -> None:
        for name in names:
            until = self._until.get(name)
            if until is not None and (left := until - time.monotonic()) > 0:
                raise _too_many(left)

    def begin(self, name: str, seconds: float) -> Problem:
        self._until[name] = time.monotonic() + seconds
        self._until.move_to_end(name)
        if len(self._until) > _MOST_REMEMBERED:
            self._until.popitem(last=False)
        return _too_many(seconds)


def _too_many(seconds: float) -> Problem:
    wait = max(1, math.ceil(seconds))
    return Problem(
        Fault.TOO_MANY_REQUESTS,
        f"wait {wait} s",
        headers={
            "Retry-After": str(wait),
            "RateLimit": f'"key";r=0;t={wait}',
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(wait),
        },
    )
