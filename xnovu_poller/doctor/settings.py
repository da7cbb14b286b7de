"""Check the settings: whether they can be read, and whether variables look like misspelt settings."""

from xnovu_poller import settings
from xnovu_poller.errors import ConfigError
from xnovu_poller.store.checks import Finding

CODE = "settings_wrong"


def examine() -> list[Finding]:
    """Return a finding for each fault, or one if there are none."""
    expected = "a worker can start with these settings"
    try:
        settings.load()
    except ConfigError as error:
        return [_of_sentence(CODE, expected, fault) for fault in error.faults]
    hints = "each variable that looks like a setting is one"
    found = [_of_sentence("settings_unread", hints, hint) for hint in settings.hints()]
    return [Finding(CODE, expected), *(found or [Finding("settings_unread", hints)])]


def _of_sentence(code: str, expected: str, sentence: str) -> Finding:
    """Return the finding of a sentence, which may have an advice of its own."""
    actual, _, advice = sentence.partition("; ")
    return Finding(code, expected, actual, advice or "correct this variable; docs/settings.md has its rule")
