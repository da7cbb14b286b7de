"""The doctor as a whole: each server is examined, even if others are away or their settings are wrong."""

import json
from typing import Any

from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.ports import closed_port
from tests.support.postgres import as_worker


def wrong_of(printed: str) -> dict[str, set[str]]:
    """Return the codes of the problems in the JSON that was printed, by group."""
    findings: list[dict[str, Any]] = json.loads(printed)
    groups: dict[str, set[str]] = {finding["group"]: set() for finding in findings}
    for finding in findings:
        assert finding["ok"] == (finding["mend"] is None)
        if not finding["ok"]:
            groups[finding["group"]].add(finding["check"])
    return groups


def test_servers_that_are_away_do_not_hide_each_other() -> None:
    """Each has its sentence, and the exit code is 1."""
    with closed_port() as port:
        ended = xnovu(
            "doctor",
            "--json",
            DATABASE_URL=f"postgresql://nobody@127.0.0.1:{port}/none",
            TEMPORAL_ADDRESS=f"127.0.0.1:{port}",
            NOVU_API_URL=f"http://127.0.0.1:{port}",
            NOVU_SECRET_KEY="hush",
        )

    assert (ended.returncode, ended.stderr) == (1, "")
    assert wrong_of(ended.stdout) == {
        "Settings": set(),
        "PostgreSQL": {"database_away"},
        "Temporal": {"temporal_away"},
        "Novu": {"novu_away"},
    }


def test_wrong_settings_hide_only_what_needs_them(database: str, novu_standin: NovuStandIn) -> None:
    """The exit code is 2, and a misspelt variable is found."""
    with closed_port() as port:
        away = f"127.0.0.1:{port}"
        without_key = xnovu("doctor", "--json", DATABASE_URL=as_worker(database), TEMPORAL_ADDRESS=away)
        without_database = xnovu(
            "doctor",
            "--json",
            TEMPORAL_ADDRESS=away,
            NOVU_API_URL=novu_standin.url,
            NOVU_SECRET_KEY="hush",
            POLL_INTERVALL_MS="5",
        )

    assert (without_key.returncode, without_database.returncode) == (2, 2)
    assert wrong_of(without_key.stdout) == {
        "Settings": {"settings_wrong"},
        "PostgreSQL": set(),
        "Temporal": {"temporal_away"},
        "Novu": {"unchecked"},
    }
    assert wrong_of(without_database.stdout) == {
        "Settings": {"settings_wrong"},
        "PostgreSQL": {"unchecked"},
        "Temporal": {"temporal_away"},
        "Novu": set(),
    }
    assert "did you mean POLL_INTERVAL_MS?" in without_database.stdout
    assert "hush" not in without_database.stdout
