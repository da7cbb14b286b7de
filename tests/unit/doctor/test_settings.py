"""The doctor's check of the settings: each fault is a finding, with what to do."""

from tests.support.environments import Environment
from xnovu_poller.doctor import settings
from xnovu_poller.store.checks import Finding


def find() -> dict[str, list[Finding]]:
    """Return the problems, by code."""
    wrong: dict[str, list[Finding]] = {}
    for found in settings.examine():
        if not found.is_sound:
            wrong.setdefault(found.code, []).append(found)
    return wrong


def test_settings_of_a_worker_are_as_expected(environment: Environment) -> None:
    """Each check has a line."""
    environment()

    assert [found.is_sound for found in settings.examine()] == [True, True]


def test_each_fault_is_a_finding(environment: Environment) -> None:
    """With the name of its variable and its rule, and never its value."""
    environment(POLL_INTERVAL_MS="hush-number", DATABASE_URL="hush-url")

    found = find()["settings_wrong"]

    assert [finding.actual.partition(":")[0] for finding in found] == ["DATABASE_URL", "POLL_INTERVAL_MS"]
    assert "hush" not in str(found)


def test_a_misspelt_variable_is_found_beside_settings_that_can_be_read(environment: Environment) -> None:
    """It has no effect, so its writer is wrong about the worker."""
    environment(POLL_INTERVALL_MS="5", REDIS_URL="hush")

    (misspelt, replaced) = find()["settings_unread"]

    assert misspelt.sentence == "POLL_INTERVALL_MS: is not a setting; did you mean POLL_INTERVAL_MS?"
    assert replaced.actual == "REDIS_URL: is not read"
