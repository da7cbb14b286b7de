"""Make findings of checks that ask a server."""

from xnovu_poller.errors import XnovuError
from xnovu_poller.store.checks import Finding


def judge(
    code: str, expected: str, problem: tuple[str, str] | None, actual: str | None = None
) -> list[Finding]:
    """Return the finding of a check.

    Args:
        problem: the fact and what to do; None if there is none.
        actual: the state, if there is no problem.
    """
    if problem is not None:
        return [Finding(code, expected, *problem)]
    return [Finding(code, expected) if actual is None else Finding(code, expected, actual)]


def refused(code: str, expected: str, error: XnovuError, mend: str | None = None) -> Finding:
    """Return the finding of a check that could not be made, because of an error."""
    fallback = f"look up {error.code} in docs/runbook.md, and run xnovu doctor again"
    return Finding(code, expected, str(error), mend or fallback)
