"""`xnovu pause` and `xnovu resume`: what a person sees, and what two running workers then do."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import deliveries, running_worker

INSERT = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients)
SELECT unnest(ARRAY['acme', 'globex']), 'n', %s, ARRAY['subscriber-' || i] FROM generate_series(1, 15) AS i"""
STATES = """SELECT enterprise_id, notification_status::text AS state, max(attempt) AS attempt, count(*) AS number
    FROM notify.ent_notification GROUP BY 1, 2 ORDER BY 1, 2"""


def states(db: Db) -> list[tuple[str, str, int, int]]:
    """Return how many notifications of each enterprise are in each state, with their highest attempt."""
    return [(row["enterprise_id"], row["state"], row["attempt"], row["number"]) for row in db.execute(STATES)]


async def test_two_workers_hold_back_what_is_paused_while_they_send_the_rest(
    db: Db,
    database: str,
    worker_environment: Mapping[str, str],
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """Nothing of the paused enterprise reaches Novu until it is resumed; then each once."""
    workflow = a_workflow(db)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                running_worker(tmp_path, f"replica-{n}", **worker_environment, WORKFLOW_SYNC="off")
            )
            for n in range(2)
        ]
        for worker in workers:
            worker.until_logged("worker started")
        paused = xnovu("pause", "--enterprise", "acme", "--reason", "wrong text", DATABASE_URL=database)
        assert (paused.returncode, paused.stdout) == (
            0,
            'enterprise "acme": paused. To resume: xnovu resume --enterprise acme\n',
        )
        db.execute(INSERT, [workflow])
        held = ("acme", "PENDING", 0, 15)
        await eventually(lambda: states(db) == [held, ("globex", "SENT", 1, 15)])
        db.execute(INSERT, [workflow])
        await eventually(lambda: states(db) == [(*held[:3], 30), ("globex", "SENT", 1, 30)])
        for worker in workers:
            await eventually(lambda: 'xnovu_pauses{scope="enterprise"} 1.0' in worker.get("metrics").text)  # noqa: B023
            assert worker.get("status").json()["pauses"] == {"all": 0, "enterprise": 1, "workflow": 0}

        resumed = xnovu("resume", "--enterprise", "acme", DATABASE_URL=database)
        assert (resumed.returncode, resumed.stdout) == (0, 'enterprise "acme": resumed\n')
        await eventually(lambda: states(db) == [("acme", "SENT", 1, 30), ("globex", "SENT", 1, 30)])
        assert [worker.stop() for worker in workers] == [0, 0]
    assert deliveries(db, novu_standin) == [1] * 60


def test_a_pause_is_listed_and_ended(db: Db, database: str) -> None:
    """For people and for programs; what a tenant may have written is escaped, and a mistake is a sentence."""
    a_workflow(db, enterprise="acme", key="reminder")

    def run(*arguments: str) -> tuple[int, str, str]:
        # The name of the user is the system's: anybody can set the variable, to any length.
        ended = xnovu(*arguments, DATABASE_URL=database, LOGNAME="a" * 300)
        return ended.returncode, ended.stdout, ended.stderr

    scope = ("--enterprise", "acme", "--workflow", "reminder")
    code, out, _ = run(
        "pause", *scope, "--reason", "a \x1b[31mred text", "--until", "2100-01-01T00:00Z", "--json"
    )
    assert (code, json.loads(out)["ends_at"]) == (0, "2100-01-01T00:00:00+00:00")
    assert run("pause", "--reason", "the move", "--actor", "ann")[0] == 0

    code, out, _ = run("pause", "--list")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["ENTERPRISE", "WORKFLOW"],
        ["all", "all"],
        ["acme", "reminder"],
    ]
    assert "\x1b" not in out
    [everything, one] = json.loads(run("pause", "--list", "--json")[1])
    assert (everything["enterprise_id"], everything["ends_at"], everything["reason"]) == (
        None,
        None,
        "the move",
    )
    assert one["paused_by"].startswith("postgres")
    assert everything["paused_by"] == "postgres (ann)"

    assert json.loads(run("resume", *scope, "--json")[1]) == one
    assert run("resume", *scope) == (
        1,
        "",
        'Error: enterprise "acme", workflow "reminder": no such pause; `xnovu pause --list` shows all\n',
    )
    assert run("resume") == (0, "all notifications: resumed\n", "")
    assert db.execute("SELECT FROM notify.pause").rowcount == 0
    lines = db.execute(
        "SELECT action, enterprise_id, filters, reason FROM notify.ent_audit ORDER BY id"
    ).fetchall()
    assert [(line["action"], line["enterprise_id"]) for line in lines] == [
        ("pause", "acme"),
        ("pause", None),
        ("resume", "acme"),
        ("resume", None),
    ]
    assert (lines[1]["reason"], lines[2]["filters"]) == ("the move", {"workflow": "reminder"})


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "write why"),
        (("--reason", " "), 2, "empty"),
        (("--reason", "a" * 1001), 2, "1000"),
        (("--reason", "a", "--enterprise", "a" * 256), 2, "255"),
        (("--reason", "a", "--until", "2027-01-01T00:00"), 2, "offset"),
        (("--reason", "a", "--until", "2020-01-01T00:00Z"), 1, "has passed"),
        (("--reason", "a", "--until", "9999-12-31T23:59-01:00"), 2, "9000"),
        (("--reason", "a", "--until", "2hours"), 2, "how long: 90m, 2h, 1d"),
        (("--reason", "a", "--until", "999999999d"), 2, "no duration"),
        (("--reason", "a", "--actor", ""), 2, "1 to 60 characters"),
        (("--reason", "a", "--workflow", "remindr"), 1, "no workflow has this key"),
        (("--reason", "a \udcff"), 2, "UTF-8"),
        (("--reason", "a", "--enterprise", "\udcff"), 2, "UTF-8"),
    ],
)
def test_a_mistake_is_a_sentence(database: str, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    """And nothing is written."""
    ended = xnovu("pause", *arguments, DATABASE_URL=database)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_pause_lasts_as_long_as_the_person_writes(database: str) -> None:
    """A duration in minutes, hours or days counts from now."""
    before = datetime.now(UTC)
    ended = xnovu("pause", "--reason", "a", "--until", "2h", "--json", DATABASE_URL=database)

    ends_at = datetime.fromisoformat(json.loads(ended.stdout)["ends_at"])
    assert before <= ends_at - timedelta(hours=2) <= datetime.now(UTC)
