"""An environment in which a test sets the variables."""

from collections.abc import Callable

import pytest

from xnovu_poller import settings
from xnovu_poller.errors import ConfigError

Environment = Callable[..., None]

REQUIRED = {"DATABASE_URL": "postgresql://worker:hush@db:5432/app", "NOVU_SECRET_KEY": "hush-too"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Return a function that sets variables; the required variables are set too, and no others."""
    for row in settings.table():
        for name in (row.variable, row.file_variable, *row.aliases):
            # Set first, so that what the program itself sets is taken away at the end.
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)

    def put(**variables: str) -> None:
        for name, value in {**REQUIRED, **variables}.items():
            monkeypatch.setenv(name, value)

    return put


def faults(environment: Environment, **variables: str) -> tuple[str, ...]:
    """Return the faults of an invalid environment."""
    environment(**variables)
    with pytest.raises(ConfigError) as raised:
        settings.load()
    return raised.value.faults
