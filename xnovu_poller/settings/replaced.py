"""The settings of the earlier system, and what takes their place."""

from collections.abc import Iterable, Iterator

_INSTEAD = {
    "NOVU_API_KEY": "write NOVU_SECRET_KEY",
    "NEXT_PUBLIC_NOVU_SUBSCRIBER_ID": "remove it, because each row names its recipients",
    "NEXT_PUBLIC_SUPABASE_": "write DATABASE_URL",
    "NEXT_PUBLIC_": "remove it, because there is no web application",
    "REDIS_URL": "remove it, because nothing needs Redis",
    "SUBSCRIPTION_": "remove it, because the worker polls (POLL_INTERVAL_MS)",
    "SUPABASE_": "write DATABASE_URL",
}
"""By name, or by the beginning of names; the longer comes before the shorter."""


def find_replaced(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence about each variable of the earlier system, in order of the names."""
    for name in sorted(names):
        instead = next((instead for old, instead in _INSTEAD.items() if _is_meant(name, old)), None)
        if instead is not None:
            yield f"{name}: is not read; {instead}"


def _is_meant(name: str, old: str) -> bool:
    return name.startswith(old) if old.endswith("_") else name == old
