"""The options of `xnovu worker start` win over the environment."""

from tests.support.environments import Environment
from xnovu_poller import settings
from xnovu_poller.cli.worker.launch import choose, collect


def test_an_option_that_is_not_given_changes_nothing(environment: Environment) -> None:
    """The environment counts then."""
    environment(WORKER_ENTERPRISE_IDS="acme", DAEMON_HEALTH_PORT="9")

    choose(collect(None, allow_superuser=False, dev=False, enterprises=None))

    found = settings.load()
    assert (found.worker_enterprise_ids, found.worker_health_port) == (("acme",), 9)
    assert (found.log_level, found.log_format) == ("info", "auto")


def test_an_option_wins(environment: Environment) -> None:
    """Also over an earlier name of the variable, and a level over that of --dev."""
    environment(WORKER_ENTERPRISE_IDS="acme", DAEMON_HEALTH_PORT="9", DAEMON_LOG_LEVEL="info")

    choose({"dev": True, "enterprises": "globex, initech", "health_port": "0", "log_level": "warn"})

    found = settings.load()
    assert (found.worker_enterprise_ids, found.worker_health_port) == (("globex", "initech"), 0)
    assert (found.log_level, found.log_format) == ("warning", "console")


def test_dev_logs_each_step_for_people(environment: Environment) -> None:
    """That is all it does."""
    environment(LOG_LEVEL="error")

    choose({"dev": True})

    assert (settings.load().log_level, settings.load().log_format) == ("debug", "console")
