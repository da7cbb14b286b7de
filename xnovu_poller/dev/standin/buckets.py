"""Token buckets: how many calls of each category Novu accepts.

Source: Novu, "Rate limiting": tokens per second, a window of five seconds, a tenth more in a burst.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xnovu_poller.dev.standin.calls import Refusal

LIMITS: Mapping[str, Mapping[str, int]] = {
    "free": {"trigger": 60, "configuration": 20, "global": 30},
    "pro": {"trigger": 240, "configuration": 80, "global": 120},
    "team": {"trigger": 600, "configuration": 200, "global": 300},
    "enterprise": {"trigger": 6000, "configuration": 2000, "global": 3000},
}
"""Tokens per second, by plan and category."""

BULK_COST = 100
BULK_PATHS = frozenset({"/v1/events/trigger/bulk", "/v1/events/trigger/broadcast", "/v1/subscribers/bulk"})
WINDOW_SECONDS = 5
BURST_PART = 0.1


@dataclass(slots=True)
class Bucket:
    """The tokens that were left at a time."""

    tokens: float
    at: float


class Buckets:
    """One bucket for each category; each starts full."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def clear(self) -> None:
        """Fill every bucket."""
        self._buckets.clear()

    def take(self, path: str, plan: str, limits: Mapping[str, int]) -> dict[str, str]:
        """Take the tokens for a call.

        Args:
            path: decides category and cost.
            plan: a key of LIMITS.
            limits: tokens per second by category that replace the plan's.

        Returns:
            The `RateLimit-*` headers.

        Raises:
            Refusal: 429 with `Retry-After`; no token was taken.
        """
        category = find_category(path)
        cost = BULK_COST if path in BULK_PATHS else 1
        rate = limits.get(category, LIMITS[plan][category])
        burst = math.floor(rate * WINDOW_SECONDS * (1 + BURST_PART))
        bucket = self._refill(category, rate, burst)
        affordable = bucket.tokens >= cost
        if affordable:
            bucket.tokens -= cost
        wait = max(1, math.ceil((cost - bucket.tokens) / rate))
        headers = {
            "RateLimit-Limit": str(rate),
            "RateLimit-Remaining": str(math.floor(bucket.tokens)),
            "RateLimit-Reset": str(wait),
            "RateLimit-Policy": (
                f'{rate};w={WINDOW_SECONDS};burst={burst};comment="token bucket";category="{category}";'
                f'cost="{"single" if cost == 1 else "bulk"}";serviceLevel="{plan}"'
            ),
        }
        if not affordable:
            raise Refusal(429, "API rate limit exceeded", {**headers, "Retry-After": str(wait)})
        return headers

    def _refill(self, category: str, rate: int, burst: int) -> Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(category, Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        return bucket


def find_category(path: str) -> str:
    """Return the rate-limit category of a path."""
    if path.startswith("/v1/events/"):
        return "trigger"
    if path.startswith(("/v1/subscribers", "/v2/subscribers", "/v2/topics", "/v2/workflows")):
        return "configuration"
    return "global"
