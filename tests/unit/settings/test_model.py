"""Settings that cannot work are refused at the start, and blanks that nobody means do not count."""

from pathlib import Path

import pytest

from tests.support.authorities import Authority
from tests.support.environments import REQUIRED, Environment, faults
from xnovu_poller import settings


@pytest.mark.parametrize("name", ["DATABASE_URL", "NOVU_API_URL", "TEMPORAL_NAMESPACE", "NOVU_SECRET_KEY"])
def test_the_line_break_of_a_kubernetes_secret_does_not_count(environment: Environment, name: str) -> None:
    """Nor do other blanks at both ends, in any setting."""
    value = {**REQUIRED, "NOVU_API_URL": "http://novu:3000", "TEMPORAL_NAMESPACE": "ours"}[name]
    environment(**{name: value})
    plain = settings.load()
    environment(**{name: f" \t{value}\r\n"})

    assert settings.load() == plain


def test_a_variable_of_blanks_counts_as_unset(environment: Environment) -> None:
    """A default that depends on other settings applies too."""
    environment(MAX_IN_FLIGHT=" \n", HANDOFF_GROUP_SIZE="2", SENTRY_DSN="\n", TEMPORAL_NAMESPACE=" ")

    found = settings.load()

    assert (found.max_in_flight, found.sentry_dsn, found.temporal_namespace) == (2000, None, "default")


def test_a_required_variable_of_blanks_is_not_set(environment: Environment) -> None:
    """The sentence is the usual one."""
    assert faults(environment, NOVU_SECRET_KEY=" \n") == ("NOVU_SECRET_KEY: is not set",)


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "TEMPORAL_TASK_QUEUE", "TEMPORAL_API_KEY", "NOVU_API_URL", "WORKER_HEALTH_HOST"]
)
@pytest.mark.parametrize("character", ["\n", "\t", "\x7f", "\u200b"], ids=repr)
def test_control_characters_within_are_refused(environment: Environment, name: str, character: str) -> None:
    """Nobody sees them, and the value cannot be meant so."""
    value = {"DATABASE_URL": "postgresql://db/app", "NOVU_API_URL": "http://novu"}.get(name, "novu")
    fault = f"{name}: must not contain a line break, a tab or another control character"

    assert faults(environment, **{name: value[:-1] + character + value[-1]}) == (fault,)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("TEMPORAL_NAMESPACE", "my namespace", "must not contain a space"),
        ("TEMPORAL_TASK_QUEUE", "/_sys/q", "must not begin with /_sys/, which Temporal keeps for itself"),
        ("WORKER_HEALTH_HOST", "a..b", "has a host name that cannot exist"),
        ("TEMPORAL_TLS_SERVER_NAME", "a" * 70, "has a host name that cannot exist"),
    ],
)
def test_names_that_cannot_work_are_refused(
    environment: Environment, name: str, value: str, rule: str
) -> None:
    """At the start, not at the first call."""
    (fault,) = faults(environment, **{name: value})

    assert fault.startswith(f"{name}: {rule}")


def test_tls_that_is_off_contradicts_what_needs_it(environment: Environment, tmp_path: Path) -> None:
    """An API key without TLS would travel in the clear."""
    authority = Authority(tmp_path)
    client = authority.issue("client")
    found = faults(
        environment,
        TEMPORAL_TLS="off",
        TEMPORAL_API_KEY="key",
        TEMPORAL_SERVER_CA_PATH=str(authority.certificate),
        TEMPORAL_CLIENT_CERT_PATH=str(client.certificate),
        TEMPORAL_CLIENT_KEY_PATH=str(client.key),
        TEMPORAL_TLS_SERVER_NAME="temporal",
    )

    assert sorted(found) == [
        f"TEMPORAL_{name}: needs TLS; set TEMPORAL_TLS=on, or unset it"
        for name in ("API_KEY", "CLIENT_CERT_PATH", "SERVER_CA_PATH", "TLS_SERVER_NAME")
    ]


@pytest.mark.parametrize(("value", "secure"), [("on", True), ("off", False)])
def test_tls_can_be_switched(environment: Environment, value: str, secure: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Without any certificate, the system's authorities count."""
    environment(TEMPORAL_TLS=value)

    assert settings.load().temporal_secure is secure
