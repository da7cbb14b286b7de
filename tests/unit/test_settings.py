"""The environment becomes settings, or one error that lists every fault and shows no value."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.authorities import Authority
from tests.support.environments import REQUIRED, Environment, faults
from xnovu_poller import settings
from xnovu_poller.errors import ConfigError
from xnovu_poller.settings.model import GROUPED_FROM


def test_two_variables_are_enough(environment: Environment) -> None:
    """Only the database and Novu's key have no default."""
    environment()

    found = settings.load()

    assert found.temporal_address == "localhost:7233"
    assert found.temporal_namespace == "default"
    assert found.temporal_task_queue == "xnovu-notification-processing"
    assert found.temporal_max_concurrent_activities == 100
    assert found.temporal_max_concurrent_workflows == 50
    assert found.temporal_max_cached_workflows == 1000
    assert found.novu_api_url == "https://api.novu.co"
    assert found.novu_timeout == timedelta(seconds=10)
    assert found.poll_interval == timedelta(seconds=10)
    assert found.scheduled_poll_interval == timedelta(seconds=30)
    assert found.failed_poll_interval == timedelta(seconds=60)
    assert found.rule_poll_interval == timedelta(seconds=30)
    assert (found.poll_batch_size, found.handoff_group_size, found.max_in_flight) == (100, "auto", 10_000)
    assert (found.worker_processes, found.poll_wakeup, found.lease) == (1, True, timedelta(minutes=5))
    assert (found.max_failures, found.retention_days, found.worker_enterprise_ids) == (8, 90, None)
    assert (found.worker_health_host, found.worker_health_port) == ("127.0.0.1", 3001)
    assert (found.log_level, found.log_format, found.sentry_dsn) == ("info", "auto", None)
    assert not found.temporal_secure
    assert not found.temporal_fairness


def test_what_is_set_is_read(environment: Environment) -> None:
    """Milliseconds become durations, lists become tuples, and switches become booleans."""
    environment(
        POLL_INTERVAL_MS="250",
        WORKER_ENTERPRISE_IDS=" acme, globex ,,acme",
        POLL_WAKEUP="off",
        LOG_LEVEL="WARN",
        NOVU_API_URL="http://localhost:3000/",
        TEMPORAL_API_KEY=" key\n",
    )

    found = settings.load()

    assert found.poll_interval == timedelta(milliseconds=250)
    assert found.worker_enterprise_ids == ("acme", "globex")
    assert found.poll_wakeup is False
    assert found.log_level == "warning"
    assert found.novu_api_url == "http://localhost:3000"
    assert found.temporal_api_key is not None
    assert found.temporal_api_key.get_secret_value() == "key"
    assert found.temporal_secure


def test_names_of_enterprises_need_a_token(environment: Environment) -> None:
    """Without it, everybody who can reach the port could read them; a token that is easily guessed guards nothing."""
    assert faults(environment, METRICS_ENTERPRISES="20") == (
        "METRICS_ENTERPRISES: needs WORKER_HTTP_TOKEN; without it, anybody could read the names of enterprises",
    )
    assert faults(environment, METRICS_ENTERPRISES="20", WORKER_HTTP_TOKEN="hush") == (
        "WORKER_HTTP_TOKEN: must have at least 16 characters, so that nobody guesses it",
    )
    environment(METRICS_ENTERPRISES="20", WORKER_HTTP_TOKEN="a-token-of-monitoring")

    assert settings.load().metrics_enterprises == 20


@pytest.mark.parametrize(("first", "health"), [("65535", "3001"), ("3000", "3001")])
def test_each_executor_needs_a_port_for_temporals_metrics(
    environment: Environment, first: str, health: str
) -> None:
    """The next ports are theirs, so none may be beyond the last, or taken by ourselves."""
    variables = {"TEMPORAL_METRICS_PORT": first, "WORKER_HEALTH_PORT": health, "WORKER_PROCESSES": "2"}
    [fault] = faults(environment, **variables)
    assert "from TEMPORAL_METRICS_PORT on" in fault
    environment(**{**variables, "WORKER_PROCESSES": "1"})

    assert settings.load().worker_processes == 1


def test_an_empty_variable_counts_as_unset(environment: Environment) -> None:
    """Compose files pass on variables that nobody has set."""
    environment(POLL_BATCH_SIZE="", WORKER_ENTERPRISE_IDS="", SENTRY_DSN="")

    found = settings.load()

    assert (found.poll_batch_size, found.worker_enterprise_ids, found.sentry_dsn) == (100, None, None)


def test_a_file_of_variables_is_not_read(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings come from the environment only."""
    environment()
    (tmp_path / ".env").write_text("POLL_BATCH_SIZE=7\n")
    monkeypatch.chdir(tmp_path)

    assert settings.load().poll_batch_size == 100


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, 10_000),
        ({"HANDOFF_GROUP_SIZE": "1"}, 1000),
        ({"HANDOFF_GROUP_SIZE": "20"}, 20_000),
        ({"HANDOFF_GROUP_SIZE": "500"}, 50_000),
    ],
)
def test_the_flight_limit_follows_the_group(
    environment: Environment, variables: dict[str, str], expected: int
) -> None:
    """By default it is 1000 for each place in a group of a fixed size, and at most 50000."""
    environment(**variables)

    assert settings.load().max_in_flight == expected


def test_a_flight_limit_that_is_set_stands(environment: Environment) -> None:
    """The maximum applies only to the default."""
    environment(MAX_IN_FLIGHT="60000")

    assert settings.load().max_in_flight == 60_000


def test_a_claim_fills_a_group(environment: Environment) -> None:
    """A claim takes the larger of batch size and group size."""
    environment(POLL_BATCH_SIZE="10", HANDOFF_GROUP_SIZE="50")

    assert settings.load().claim_size == 50


@pytest.mark.parametrize(
    ("size", "expected"),
    [("auto", (100, GROUPED_FROM, 100)), ("1", (1, 1, 100)), ("2000", (2000, 1, 2000))],
)
def test_the_size_of_a_group_is_chosen_or_fixed(
    environment: Environment, size: str, expected: tuple[int, int, int]
) -> None:
    """By default a claim of a few rows shares no run, and a larger claim runs of up to a hundred."""
    environment(HANDOFF_GROUP_SIZE=size)

    found = settings.load()

    assert (found.group_size, found.grouped_from, found.claim_size) == expected


@pytest.mark.parametrize(("lease", "expected"), [("20000", 20), ("300000", 30)])
def test_a_claim_is_valid_for_half_a_minute_at_most(
    environment: Environment, lease: str, expected: int
) -> None:
    """Before a run has begun, a short lease is enough."""
    environment(LEASE_MS=lease)

    assert settings.load().claim_lease == timedelta(seconds=expected)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_database_driver_is_psycopg(environment: Environment, scheme: str) -> None:
    """Both spellings of the scheme select the same driver."""
    environment(DATABASE_URL=f"{scheme}://worker:hush@db:5432/app?sslmode=require")

    found = settings.load_database().sqlalchemy_url

    assert found == "postgresql+psycopg://worker:hush@db:5432/app?sslmode=require"


def test_all_faults_are_reported_at_once(environment: Environment, tmp_path: Path) -> None:
    """An operator can correct the environment in one go."""
    certificate = Authority(tmp_path).issue("client").certificate

    found = faults(
        environment,
        DATABASE_URL="mysql://worker:hush@db/app",
        NOVU_SECRET_KEY="",
        NOVU_API_URL="ftp://novu",
        LEASE_MS="999",
        POLL_INTERVAL_MS="9",
        HANDOFF_GROUP_SIZE="2001",
        POLL_WAKEUP="perhaps",
        TEMPORAL_ADDRESS="localhost",
        TEMPORAL_CLIENT_CERT_PATH=str(certificate),
        TEMPORAL_SERVER_CA_PATH=str(tmp_path / "nowhere.pem"),
        WORKER_ENTERPRISE_IDS=" , ",
        WORKER_HEALTH_PORT="65536",
        LOG_FORMAT="xml",
    )

    assert sorted(found) == [
        "DATABASE_URL: must have the form postgresql://user:password@host:port/database",
        "HANDOFF_GROUP_SIZE: must be auto, or a whole number from 1 to 2000",
        "LEASE_MS: must be a whole number of milliseconds from 1000 to 86400000",
        "LOG_FORMAT: must be 'auto', 'json' or 'console'",
        "NOVU_API_URL: must have the form http://host or https://host",
        "NOVU_SECRET_KEY: is not set",
        "POLL_INTERVAL_MS: must be a whole number of milliseconds from 10 to 86400000",
        "POLL_WAKEUP: must be on or off",
        "TEMPORAL_ADDRESS: must have the form host:port; Temporal's usual port is 7233",
        "TEMPORAL_CLIENT_KEY_PATH: must be set if and only if TEMPORAL_CLIENT_CERT_PATH is set",
        "TEMPORAL_SERVER_CA_PATH: must be the path of an existing file",
        "WORKER_ENTERPRISE_IDS: names no enterprise; unset it for all",
        "WORKER_HEALTH_PORT: must be less than or equal to 65535",
    ]


@pytest.mark.parametrize(
    "variables",
    [
        {"DATABASE_URL": "mysql://hush"},
        {"DATABASE_URL": "postgresql://worker:p@db:hush/app"},
        {"DATABASE_URL": "postgresql://worker:hu@sh:hush@db:5432/app"},
        {"NOVU_SECRET_KEY": "hush hush"},
        {"TEMPORAL_API_KEY": "hush\nhush"},
        {"POLL_BATCH_SIZE": "hush"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_no_fault_contains_a_value(environment: Environment, variables: dict[str, str]) -> None:
    """Faults appear in logs and on screens, so they name only the variable and the rule."""
    environment(**variables)

    with pytest.raises(ConfigError) as raised:
        settings.load()

    assert [fault.partition(":")[0] for fault in raised.value.faults] == [*variables]
    assert "hush" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_fault_is_reported_only_once(environment: Environment) -> None:
    """A setting that depends on a faulty setting is not reported as well."""
    found = faults(environment, HANDOFF_GROUP_SIZE="many", NOVU_TIMEOUT_MS="long")

    assert [fault.partition(":")[0] for fault in found] == ["NOVU_TIMEOUT_MS", "HANDOFF_GROUP_SIZE"]


def test_the_repr_of_settings_contains_no_secret(environment: Environment) -> None:
    """Somebody may log a settings object."""
    environment(SENTRY_DSN="https://hush@sentry/1", TEMPORAL_API_KEY="hush")

    assert "hush" not in repr(settings.load())


def test_migrations_need_only_the_database(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """People who migrate a schema need not have Novu's key."""
    environment()
    monkeypatch.delenv("NOVU_SECRET_KEY")

    assert settings.load_database().database_url.get_secret_value() == REQUIRED["DATABASE_URL"]


def test_rules_need_the_database_and_temporal(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People who maintain rules need not have Novu's key."""
    environment(TEMPORAL_ADDRESS="temporal:7233", TEMPORAL_API_KEY="key")
    monkeypatch.delenv("NOVU_SECRET_KEY")

    found = settings.load_temporal()

    assert (found.temporal_address, found.temporal_secure) == ("temporal:7233", True)
    assert found.sqlalchemy_url == "postgresql+psycopg://worker:hush@db:5432/app"


def test_faults_of_both_are_reported_at_once(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults in settings that the command does not need are not reported."""
    environment(TEMPORAL_ADDRESS="temporal", POLL_BATCH_SIZE="many")
    monkeypatch.delenv("DATABASE_URL")

    with pytest.raises(ConfigError) as raised:
        settings.load_temporal()

    assert raised.value.faults == (
        "DATABASE_URL: is not set; write postgresql://user:password@host:5432/database, or copy the line that `xnovu dev` prints",
        "TEMPORAL_ADDRESS: must have the form host:port; Temporal's usual port is 7233",
    )


def test_the_table_shows_defaults_as_you_would_write_them() -> None:
    """Its rows are in docs/settings.md."""
    rows = {row.variable: row.default for row in settings.table()}

    assert rows["DATABASE_URL"] == "required"
    assert rows["LEASE_MS"] == "300000"
    assert rows["POLL_WAKEUP"] == "on"
    assert rows["MAX_IN_FLIGHT"] == rows["SENTRY_DSN"] == "unset"
    assert all(row.meaning for row in settings.table())


def test_a_child_gets_our_environment_with_changes(environment: Environment) -> None:
    """A child process differs only in the variables that we change."""
    environment(LOG_LEVEL="debug")

    found = settings.child_environment(LOG_LEVEL="error")

    assert found["LOG_LEVEL"] == "error"
    assert found["NOVU_SECRET_KEY"] == REQUIRED["NOVU_SECRET_KEY"]


def test_authorities_that_do_not_exist_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no call could be made, and each notification would pay for it."""
    for name, value in {**REQUIRED, "SSL_CERT_FILE": "/nowhere/a.pem", "SSL_CERT_DIR": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert set(caught.value.faults) == {
        "SSL_CERT_FILE: must be the path of an existing file",
        "SSL_CERT_DIR: must be the path of an existing folder",
    }
