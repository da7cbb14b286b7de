"""Where the value of a setting comes from: its variable, an older name, a file, or an option of the command."""

from pathlib import Path

import pytest

from tests.support.environments import REQUIRED, Environment, faults
from xnovu_poller import settings


@pytest.mark.parametrize(
    ("alias", "value", "field", "expected"),
    [
        ("DAEMON_ENTERPRISE_IDS", "acme", "worker_enterprise_ids", ("acme",)),
        ("DAEMON_HEALTH_PORT", "9", "worker_health_port", 9),
        ("DAEMON_LOG_LEVEL", "error", "log_level", "error"),
        ("WORKER_LOG_LEVEL", "error", "log_level", "error"),
        ("TEMPORAL_WORKER_MAX_CONCURRENT", "9", "temporal_max_concurrent_activities", 9),
        ("TEMPORAL_WORKER_MAX_CONCURRENT", "9", "temporal_max_concurrent_workflows", 9),
    ],
)
def test_an_older_name_is_an_alias(
    environment: Environment, alias: str, value: str, field: str, expected: object
) -> None:
    """The earlier system had it; it counts if the name of today is unset or empty."""
    environment(**{alias: value, "WORKER_HEALTH_PORT": ""})
    (named,) = [row.variable for row in settings.table() if row.field == field]

    assert getattr(settings.load(), field) == expected
    assert settings.find_sources()[named] == alias


def test_a_name_of_today_wins_over_an_alias(environment: Environment) -> None:
    """So a deployment can change over step by step."""
    environment(LOG_LEVEL="info", DAEMON_LOG_LEVEL="error")

    assert settings.load().log_level == "info"


def test_a_fault_names_the_variable_that_is_set(environment: Environment, tmp_path: Path) -> None:
    """Also if it is an alias, as Temporal's own name of the certificate."""
    found = faults(
        environment, DAEMON_LOG_LEVEL="loud", TEMPORAL_TLS_CLIENT_CERT_PATH=str(tmp_path / "nowhere.pem")
    )

    assert found == (
        "TEMPORAL_TLS_CLIENT_CERT_PATH: must be the path of an existing file",
        "DAEMON_LOG_LEVEL: must be 'debug', 'info', 'warning' or 'error'",
    )


def test_a_secret_may_stand_in_a_file(environment: Environment, tmp_path: Path) -> None:
    """Docker and Kubernetes mount secrets as files; the line break at the end does not count."""
    texts = {row: f"hush-hush-hush-{row.variable}" for row in settings.table() if row.secret}
    texts |= {row: REQUIRED["DATABASE_URL"] for row in texts if row.variable.endswith("DATABASE_URL")}
    for row, text in texts.items():
        (tmp_path / row.variable).write_text(f"{text}\n")
        environment(**{row.variable: "", row.file_variable: str(tmp_path / row.variable)})

    environment(DATABASE_URL="", NOVU_SECRET_KEY="")
    found = settings.load()

    assert len(texts) >= 5
    for row, text in texts.items():
        assert getattr(found, row.field).get_secret_value() == text
        assert settings.find_sources()[row.variable] == row.file_variable
    assert settings.hints() == ()


def test_the_faults_of_such_files_are_reported_with_all_others(
    environment: Environment, tmp_path: Path
) -> None:
    """Each names the variable that a person has to correct, and no content."""
    (tmp_path / "key").write_text("hush hush")
    (tmp_path / "binary").write_bytes(b"\xff")

    found = faults(
        environment,
        DATABASE_URL="",
        DATABASE_URL_FILE=str(tmp_path / "nowhere"),
        TEMPORAL_API_KEY_FILE=str(tmp_path / "key"),
        NOVU_SECRET_KEY_FILE=str(tmp_path / "key"),
        SENTRY_DSN_FILE=str(tmp_path / "binary"),
        POLL_BATCH_SIZE="0",
    )

    assert sorted(found) == [
        "DATABASE_URL_FILE: cannot be read (No such file or directory)",
        "NOVU_SECRET_KEY: must not be set beside NOVU_SECRET_KEY_FILE",
        "POLL_BATCH_SIZE: must be greater than or equal to 1",
        "SENTRY_DSN_FILE: must be the path of a text file in UTF-8",
        "TEMPORAL_API_KEY_FILE: must be printable ASCII without spaces",
    ]


def test_a_file_beside_the_value_is_refused(environment: Environment, tmp_path: Path) -> None:
    """Nobody knows which of the two is meant."""
    (tmp_path / "key").write_text("key")

    assert faults(environment, NOVU_SECRET_KEY_FILE=str(tmp_path / "key")) == (
        "NOVU_SECRET_KEY: must not be set beside NOVU_SECRET_KEY_FILE",
    )


def test_a_child_with_another_secret_does_not_read_the_file(environment: Environment, tmp_path: Path) -> None:
    """So `xnovu demo` works in a shell that is set up for production."""
    environment(NOVU_SECRET_KEY="", NOVU_SECRET_KEY_FILE=str(tmp_path / "key"))

    assert "NOVU_SECRET_KEY_FILE" in settings.child_environment()
    assert "NOVU_SECRET_KEY_FILE" not in settings.child_environment(NOVU_SECRET_KEY="other")


def test_a_fault_of_a_name_that_stands_for_two_settings_is_reported_once(environment: Environment) -> None:
    """It is one variable."""
    assert faults(environment, TEMPORAL_WORKER_MAX_CONCURRENT="many") == (
        "TEMPORAL_WORKER_MAX_CONCURRENT: must be a whole number",
    )


def test_loops_can_be_switched_off(environment: Environment) -> None:
    """By naming those that are left; an unknown name is a fault."""
    environment(POLL_LOOPS="failed, new")
    assert settings.load().poll_loops == ("failed", "new")

    found = faults(environment, POLL_LOOPS="new,old,older")

    assert found == ("POLL_LOOPS: must be 'new', 'scheduled' or 'failed'",)


def test_an_option_wins_over_the_environment(environment: Environment) -> None:
    """The child processes of a worker get it too."""
    environment(WORKER_HEALTH_PORT="1", DAEMON_HEALTH_PORT="2")

    settings.override(WORKER_HEALTH_PORT="3")

    assert settings.load_health().worker_health_port == 3
    assert settings.child_environment()["WORKER_HEALTH_PORT"] == "3"


def test_a_misspelt_variable_is_reported(environment: Environment) -> None:
    """Otherwise the default would apply in silence."""
    environment(POLL_INTERVALL_MS="5", HEALTH_PORT="1")

    assert settings.hints() == (
        "HEALTH_PORT: is not a setting; did you mean WORKER_HEALTH_PORT?",
        "POLL_INTERVALL_MS: is not a setting; did you mean POLL_INTERVAL_MS?",
    )


def test_hints_come_with_the_faults(environment: Environment) -> None:
    """Often they are the reason."""
    found = faults(environment, NOVU_SECRET_KEY="", NOVU_API_KEY="hush")

    assert found == (
        "NOVU_SECRET_KEY: is not set",
        "NOVU_API_KEY: is not read; write NOVU_SECRET_KEY",
    )
