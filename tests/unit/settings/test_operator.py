"""The settings of the operator's page."""

from pathlib import Path

from tests.support.environments import Environment, faults
from xnovu_poller import settings


def test_the_page_is_off_until_somebody_may_look(environment: Environment, tmp_path: Path) -> None:
    """A password comes from a file too; a header needs a proxy that is believed."""
    environment()
    assert not settings.load_api().has_page

    (tmp_path / "password").write_text("correct horse battery\n")
    environment(OPERATOR_PASSWORD_FILE=str(tmp_path / "password"), OPERATOR_ROLE="Operator")
    found = settings.load_api()
    assert found.operator_password is not None
    assert found.operator_password.get_secret_value() == "correct horse battery"
    assert (found.has_page, found.operator_role) == (True, "operator")

    environment(OPERATOR_TRUSTED_HEADER="X-Forwarded-User", API_TRUSTED_PROXIES="10.0.0.0/8")
    assert settings.load_api().has_page


def test_what_would_let_strangers_in_is_refused(environment: Environment) -> None:
    """No sentence repeats a password or an address."""
    found = faults(
        environment,
        OPERATOR_PASSWORD="short",
        OPERATOR_TRUSTED_HEADER="X-Forwarded-User",
        OPERATOR_ROLE="admin",
        OPERATOR_DATABASE_URL="hush",
    )

    sentences = " | ".join(found)

    assert "OPERATOR_PASSWORD: must have at least 12 characters" in sentences
    assert "OPERATOR_TRUSTED_HEADER: needs API_TRUSTED_PROXIES" in sentences
    assert "OPERATOR_ROLE: " in sentences
    assert "OPERATOR_DATABASE_URL: " in sentences
    assert "hush" not in sentences
