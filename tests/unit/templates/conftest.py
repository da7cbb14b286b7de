import builtins
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import settings

settings.register_profile("fuzz", max_examples=10_000, derandomize=False, print_blob=True)  # `make fuzz`

_ACTS = ("exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.")
_seen: list[str] | None = None
_watched: int | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    # Servers of other tests may be running in threads.
    if _seen is None or threading.get_ident() != _watched or not event.startswith(_ACTS):
        return
    # For each syntax error Python looks in vain for a source file of this name.
    if (event, *arguments[:1]) != ("open", "<unknown>"):
        _seen.append(event)


@contextmanager
def _quiet() -> Iterator[None]:
    global _seen, _watched  # noqa: PLW0603 - an audit hook can never be removed, so there is a single hook, which reads this
    seen: list[str] = []
    _seen, _watched = seen, threading.get_ident()
    try:
        yield
    finally:
        _seen = None
    assert seen == []


@pytest.fixture(scope="session")
def nothing_runs() -> Callable[[], AbstractContextManager[None]]:
    """Return a context manager for a block in which Python may execute, import and open nothing."""
    sys.addaudithook(_watch)
    return _quiet


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a `canary` within reach of all Python code, and return the list of its calls."""
    calls: list[str] = []
    monkeypatch.setattr(builtins, "canary", lambda *_: calls.append("called"), raising=False)
    return calls
