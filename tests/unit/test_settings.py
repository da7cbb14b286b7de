"""The environment becomes values, or one error that tells every fault and no value."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from xnovu_poller import settings
from xnovu_poller.errors import ConfigError

Environment = Callable[..., None]

REQUIRED = {"DATABASE_URL": "postgresql://worker:hush@db:5432/app", "NOVU_SECRET_KEY": "hush-too"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Set variables over an environment that holds the required ones alone."""
    for row in settings.table():
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.delenv("DAEMON_ENTERPRISE_IDS", raising=False)

    def put(**variables: str) -> None:
        for name, value in {**REQUIRED, **variables}.items():
            monkeypatch.setenv(name, value)

    return put


def faults(environment: Environment, **variables: str) -> tuple[str, ...]:
    """Give the faults of an environment that cannot be read."""
    environment(**variables)
    with pytest.raises(ConfigError) as raised:
        settings.load()
    return raised.value.faults


def test_two_variables_are_enough(environment: Environment) -> None:
    """Everything but the database and Novu's key has a default."""
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
    assert (found.poll_batch_size, found.handoff_group_size, found.max_in_flight) == (100, 1, 1000)
    assert (found.worker_processes, found.poll_wakeup, found.lease) == (1, True, timedelta(minutes=5))
    assert (found.max_failures, found.retention_days, found.worker_enterprise_ids) == (8, 90, None)
    assert (found.worker_health_host, found.worker_health_port) == ("0.0.0.0", 3001)  # noqa: S104 - the default
    assert (found.log_level, found.log_format, found.sentry_dsn) == ("info", "json", None)
    assert not found.temporal_secure


def test_what_is_set_is_read(environment: Environment) -> None:
    """Milliseconds become spans, lists become tuples, switches become truth values."""
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


def test_the_older_name_of_the_tenants_is_an_alias(environment: Environment) -> None:
    """DAEMON_ENTERPRISE_IDS is what the predecessor called it."""
    environment(DAEMON_ENTERPRISE_IDS="acme")

    assert settings.load().worker_enterprise_ids == ("acme",)


def test_an_empty_variable_counts_as_unset(environment: Environment) -> None:
    """Compose files write out variables that nobody has set."""
    environment(POLL_BATCH_SIZE="", WORKER_ENTERPRISE_IDS="", SENTRY_DSN="")

    found = settings.load()

    assert (found.poll_batch_size, found.worker_enterprise_ids, found.sentry_dsn) == (100, None, None)


def test_a_file_of_variables_is_not_read(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment does not say is not said."""
    environment()
    (tmp_path / ".env").write_text("POLL_BATCH_SIZE=7\n")
    monkeypatch.chdir(tmp_path)

    assert settings.load().poll_batch_size == 100


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, 1000), ({"HANDOFF_GROUP_SIZE": "20"}, 20_000), ({"HANDOFF_GROUP_SIZE": "500"}, 50_000)],
)
def test_the_flight_limit_follows_the_group(
    environment: Environment, variables: dict[str, str], expected: int
) -> None:
    """Unset, it is 1000 for each place in a group, and at most 50000."""
    environment(**variables)

    assert settings.load().max_in_flight == expected


def test_a_flight_limit_that_is_set_stands(environment: Environment) -> None:
    """The cap is one of the default alone."""
    environment(MAX_IN_FLIGHT="60000")

    assert settings.load().max_in_flight == 60_000


def test_a_claim_fills_a_group(environment: Environment) -> None:
    """A claim takes the larger of batch and group."""
    environment(POLL_BATCH_SIZE="10", HANDOFF_GROUP_SIZE="50")

    assert settings.load().claim_size == 50


@pytest.mark.parametrize(("lease", "expected"), [("20000", 20), ("300000", 30)])
def test_a_claim_stands_for_half_a_minute_at_most(
    environment: Environment, lease: str, expected: int
) -> None:
    """Before work has begun, a short lease is enough."""
    environment(LEASE_MS=lease)

    assert settings.load().claim_lease == timedelta(seconds=expected)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_database_is_driven_by_psycopg(environment: Environment, scheme: str) -> None:
    """Both spellings of the scheme lead to the one driver."""
    environment(DATABASE_URL=f"{scheme}://worker:hush@db:5432/app?sslmode=require")

    found = settings.load_database().sqlalchemy_url

    assert found == "postgresql+psycopg://worker:hush@db:5432/app?sslmode=require"


def test_all_faults_are_told_at_once(environment: Environment, tmp_path: Path) -> None:
    """An operator mends the environment in one go."""
    certificate = tmp_path / "cert.pem"
    certificate.touch()

    found = faults(
        environment,
        DATABASE_URL="mysql://worker:hush@db/app",
        NOVU_SECRET_KEY="",
        NOVU_API_URL="ftp://novu",
        NOVU_TIMEOUT_MS="20000",
        LEASE_MS="30000",
        POLL_INTERVAL_MS="9",
        HANDOFF_GROUP_SIZE="501",
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
        "HANDOFF_GROUP_SIZE: must be less than or equal to 500",
        "LEASE_MS: must be at least twice NOVU_TIMEOUT_MS",
        "LOG_FORMAT: must be 'json' or 'console'",
        "NOVU_API_URL: must have the form http://host or https://host",
        "NOVU_SECRET_KEY: is not set",
        "POLL_INTERVAL_MS: must be a whole number of milliseconds from 10 to 86400000",
        "POLL_WAKEUP: must be on or off",
        "TEMPORAL_ADDRESS: must have the form host:port",
        "TEMPORAL_CLIENT_KEY_PATH: must be set if and only if TEMPORAL_CLIENT_CERT_PATH is set",
        "TEMPORAL_SERVER_CA_PATH: must be the path of an existing file",
        "WORKER_ENTERPRISE_IDS: names no enterprise; unset it to serve all",
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
def test_no_value_is_ever_told(environment: Environment, variables: dict[str, str]) -> None:
    """A fault goes to logs and screens: it names the variable and the rule."""
    environment(**variables)

    with pytest.raises(ConfigError) as raised:
        settings.load()

    assert [fault.partition(":")[0] for fault in raised.value.faults] == [*variables]
    assert "hush" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_one_fault_is_told_once(environment: Environment) -> None:
    """What rests on a faulty setting is not told beside it."""
    found = faults(environment, HANDOFF_GROUP_SIZE="many", NOVU_TIMEOUT_MS="long", LEASE_MS="1000")

    assert [fault.partition(":")[0] for fault in found] == ["NOVU_TIMEOUT_MS", "HANDOFF_GROUP_SIZE"]


def test_secrets_do_not_show(environment: Environment) -> None:
    """A settings object that lands in a log gives nothing away."""
    environment(SENTRY_DSN="https://hush@sentry/1", TEMPORAL_API_KEY="hush")

    assert "hush" not in repr(settings.load())


def test_migrations_need_the_database_alone(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key of Novu is at hand where a schema is migrated."""
    environment()
    monkeypatch.delenv("NOVU_SECRET_KEY")

    assert settings.load_database().database_url.get_secret_value() == REQUIRED["DATABASE_URL"]


def test_rules_need_the_database_and_temporal(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks after rules has no key of Novu."""
    environment(TEMPORAL_ADDRESS="temporal:7233", TEMPORAL_API_KEY="key")
    monkeypatch.delenv("NOVU_SECRET_KEY")

    found = settings.load_temporal()

    assert (found.temporal_address, found.temporal_secure) == ("temporal:7233", True)
    assert found.sqlalchemy_url == "postgresql+psycopg://worker:hush@db:5432/app"


def test_both_of_them_are_told_at_once(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all settings are; what is not needed is not told."""
    environment(TEMPORAL_ADDRESS="temporal", POLL_BATCH_SIZE="many")
    monkeypatch.delenv("DATABASE_URL")

    with pytest.raises(ConfigError) as raised:
        settings.load_temporal()

    assert raised.value.faults == (
        "DATABASE_URL: is not set",
        "TEMPORAL_ADDRESS: must have the form host:port",
    )


def test_a_misspelt_variable_is_noticed(environment: Environment) -> None:
    """A typo is told, for a default in its place is silent."""
    environment(POLL_INTERVALL_MS="5")

    assert settings.misspelt() == ("POLL_INTERVALL_MS: is not a setting; did you mean POLL_INTERVAL_MS?",)


def test_the_table_tells_defaults_as_one_would_write_them() -> None:
    """Its lines are in docs/settings.md."""
    rows = {row.variable: row.default for row in settings.table()}

    assert rows["DATABASE_URL"] == "required"
    assert rows["LEASE_MS"] == "300000"
    assert rows["POLL_WAKEUP"] == "on"
    assert rows["MAX_IN_FLIGHT"] == rows["SENTRY_DSN"] == "unset"
    assert all(row.meaning for row in settings.table())


def test_a_child_gets_our_environment_with_changes(environment: Environment) -> None:
    """A process that we start is told what differs."""
    environment(LOG_LEVEL="debug")

    found = settings.child_environment(LOG_LEVEL="error")

    assert found["LOG_LEVEL"] == "error"
    assert found["NOVU_SECRET_KEY"] == REQUIRED["NOVU_SECRET_KEY"]
