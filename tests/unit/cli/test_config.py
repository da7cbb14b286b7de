"""`xnovu config`: each setting as a worker would read it, and where it comes from."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tests.support.environments import Environment
from xnovu_poller import settings
from xnovu_poller.cli.group import xnovu


def run(*words: str) -> Result:
    """Run it in this process."""
    return CliRunner().invoke(xnovu, ["config", *words])


def test_every_setting_has_its_value_and_its_source(environment: Environment, tmp_path: Path) -> None:
    """A secret is hidden wherever it stands, and a default that depends on others is shown as it is."""
    (tmp_path / "dsn").write_text("https://hush@sentry/1")
    environment(
        POLL_INTERVAL_MS="250", DAEMON_LOG_LEVEL="WARN", POLL_LOOPS="new, failed", HANDOFF_GROUP_SIZE="2",
        SENTRY_DSN_FILE=str(tmp_path / "dsn"),
    )  # fmt: skip

    printed = run("--json")

    found = {row["variable"]: (row["value"], row["source"]) for row in json.loads(printed.output)}
    assert list(found) == [row.variable for row in settings.table()]
    assert found["POLL_INTERVAL_MS"] == ("250", "POLL_INTERVAL_MS")
    assert found["LOG_LEVEL"] == ("warning", "DAEMON_LOG_LEVEL")
    assert found["POLL_LOOPS"] == ("new,failed", "POLL_LOOPS")
    assert found["MAX_IN_FLIGHT"] == ("2000", "default")
    assert found["SENTRY_DSN"] == ("(hidden)", "SENTRY_DSN_FILE")
    assert found["TEMPORAL_API_KEY"] == ("unset", "default")
    assert "hush" not in printed.output + run().output


def test_a_setting_that_is_not_read_is_named(environment: Environment) -> None:
    """Apart from the table, so that programs can read that."""
    environment(NOVU_API_KEY="hush")

    printed = run("--json")

    assert printed.stderr == "xnovu: NOVU_API_KEY: is not read; write NOVU_SECRET_KEY\n"
    assert json.loads(printed.stdout)


def test_wrong_settings_end_it_with_2(environment: Environment) -> None:
    """With all faults, as at the start of a worker."""
    environment(POLL_BATCH_SIZE="0")

    printed = run()

    assert printed.exit_code == 2
    assert "POLL_BATCH_SIZE: must be greater than or equal to 1" in printed.output
