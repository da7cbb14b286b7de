"""Something in front of Novu refuses certain notifications: only these end badly."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.modes import Mode
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]

PAGE = "<html><head><title>Refused</title></head></html>"
CLOUDFLARE = (
    '{"success":false,"errors":[{"code":1020,"message":"Access denied"}],"messages":[],"result":null}'
)
KONG = '{"message":"Forbidden","request_id":"5f1c"}'
NOVUS = (
    '{"statusCode":403,"timestamp":"2026-01-01T00:00:00Z","path":"/v1/events/trigger","message":"Forbidden"}'
)

SOON = {"POLL_INTERVAL_MS": "200", "FAILED_POLL_INTERVAL_MS": "200", "MAX_FAILURES": "2"}

REPLICAS = 3

OTHERS = ("globex", "initech", "umbrella")

DUE_AGAIN = """
UPDATE notify.ent_notification SET next_attempt_at = now()
WHERE notification_status = 'FAILED' AND next_attempt_at > now()"""


def refuse(standin: NovuStandIn, status: int, body: str | None) -> None:
    """Let something in front of Novu refuse each call that contains a bad recipient."""
    standin.fault("status", status=status, body=body, cached=False, times=None, match={"recipient": "bad-*"})


@contextmanager
def serving_others(db: Db, workflow: int) -> Iterator[None]:
    """Show that others are served, before and after."""
    served = [a_notification(db, workflow=workflow, enterprise=name) for name in OTHERS]
    wait_until(lambda: all(row(db, each)["notification_status"] == "SENT" for each in served))
    yield
    served = [a_notification(db, workflow=workflow, enterprise=name) for name in OTHERS]
    wait_until(lambda: all(row(db, each)["notification_status"] == "SENT" for each in served))


def until_dead(db: Db, workflow: int, bad: list[int]) -> None:
    """Let others be served until the bad rows are dead, whose pauses are cut short."""
    last = [a_notification(db, workflow=workflow, enterprise=OTHERS[0])]

    def are_dead() -> bool:
        if row(db, last[0])["notification_status"] == "SENT":
            last[0] = a_notification(db, workflow=workflow, enterprise=OTHERS[0])
        db.execute(DUE_AGAIN)
        return all(row(db, each)["notification_status"] == "DEAD" for each in bad)

    wait_until(are_dead)


@pytest.mark.parametrize(
    "answers",
    [
        [(413, PAGE), (403, PAGE), (403, CLOUDFLARE), (403, KONG), (403, NOVUS)],
        [(302, ""), (407, PAGE), (418, "teapot"), (451, PAGE)],
        [(502, PAGE), (503, PAGE), (504, PAGE)],
    ],
    ids=["forbidden", "odd", "gateway"],
)
def test_it_ends_dead_with_the_status_while_the_others_are_served(
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
    answers: list[tuple[int, str]],
) -> None:
    """Meanwhile its row shows why it waits; it stops nobody, and no other row pays for it. One answer after another."""
    workflow = a_workflow(db)
    refused: dict[int, str] = {}
    with running_worker(tmp_path, **worker_environment, **SOON) as worker:
        for status, body in answers:
            refuse(novu_standin, status, body)
            with serving_others(db, workflow):
                bad = a_notification(db, workflow=workflow, recipients=["bad-1"])
                refused[bad] = str(status)
                wait_until(lambda bad=bad: row(db, bad)["error_details"])  # type: ignore[misc]
                assert refused[bad] in row(db, bad)["error_details"]["message"]
                until_dead(db, workflow, [bad])
                wait_until(lambda: worker.component("novu")["status"] == "healthy")
            novu_standin.clear_faults()

    until_settled_by(db, worker_environment, tmp_path)
    for bad, status_word in refused.items():
        kept = row(db, bad)
        assert (kept["notification_status"], kept["failure_count"]) == ("DEAD", 2)
        assert status_word in kept["error_details"]["message"]
    assert db.execute(
        "SELECT max(failure_count) AS n FROM notify.ent_notification WHERE id <> ALL (%s)", [list(refused)]
    ).fetchone() == {"n": 0}
    assert_kept(db, novu_standin)


def until_settled_by(db: Db, environment: Environment, folder: Path) -> None:
    """Let a worker send the rest."""
    with running_worker(folder, "last", **environment, **SOON):
        until_settled(db)


def test_fifty_of_one_enterprise_delay_nobody(
    db: Db,
    worker_environment: Environment,
    novu_standin: NovuStandIn,
    tmp_path: Path,
) -> None:
    """A quarter of its rows are refused; meanwhile its others, and those of all others, are sent and waited for."""
    refuse(novu_standin, 403, PAGE)
    workflow = a_workflow(db)
    with ExitStack() as stack:
        for number in range(REPLICAS):
            name = f"worker-{number}"
            worker = stack.enter_context(running_worker(tmp_path, name, **worker_environment, **SOON))
            worker.until_logged("worker started")
        stack.enter_context(serving_others(db, workflow))
        bad = []
        with db.transaction():
            for number in range(200):
                if number % 4:
                    a_notification(db, workflow=workflow, recipients=[f"good-{number}"])
                else:
                    bad.append(a_notification(db, workflow=workflow, recipients=[f"bad-{number}"]))
        for _ in range(20):
            made = [a_notification(db, workflow=workflow, enterprise=name) for name in OTHERS]
            wait_until(lambda made=made: all(row(db, each)["notification_status"] == "SENT" for each in made))  # type: ignore[misc]
        until_dead(db, workflow, bad)

    until_settled_by(db, worker_environment, tmp_path)
    assert {row(db, each)["failure_count"] for each in bad} == {2}
    assert sum_failures(db, bad) == 0
    assert_kept(db, novu_standin)


def sum_failures(db: Db, bad: list[int]) -> int:
    """Return the failures of all rows but some."""
    found = db.execute(
        "SELECT sum(failure_count)::int AS n FROM notify.ent_notification WHERE NOT id = ANY(%s)", [bad]
    ).fetchone()
    assert found is not None
    return int(found["n"])


def test_one_enterprise_alone_sends_what_is_good(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Twenty bad rows at the head of its queue look like a wrong address at first."""
    refuse(novu_standin, 413, PAGE)
    workflow = a_workflow(db)
    with db.transaction():
        bad = [a_notification(db, workflow=workflow, recipients=[f"bad-{number}"]) for number in range(20)]
        good = [a_notification(db, workflow=workflow, recipients=[f"good-{number}"]) for number in range(20)]
    with running_worker(tmp_path, **worker_environment, **SOON, POLL_BATCH_SIZE="10"):
        wait_until(lambda: all(row(db, each)["notification_status"] == "SENT" for each in good), within=120)
        until_dead(db, workflow, bad)

    until_settled_by(db, worker_environment, tmp_path)
    assert_kept(db, novu_standin)


def test_a_wrong_address_is_recognised_and_counts_against_nobody(
    db: Db, mode: Mode, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Every call meets another server's page: /health and the rows name it, and then all are sent."""
    novu_standin.fault("status", status=404, body=PAGE, cached=False, times=None)
    workflow = a_workflow(db)
    with db.transaction():
        made = [a_notification(db, workflow=workflow) for _ in range(3 * mode.rows)]
    with running_worker(tmp_path, **worker_environment, **{**SOON, "MAX_FAILURES": "1"}) as worker:
        words = "Novu: something in front of it answers 404; check NOVU_API_URL"
        wait_until(lambda: worker.component("novu") == {"status": "unhealthy", "detail": words})
        assert worker.get("health").status_code == 503
        wait_until(lambda: waiting(db)["novu_blocked"] >= 3)
        novu_standin.clear_faults()

        def are_sent() -> bool:
            db.execute(DUE_AGAIN)
            return all(row(db, each)["notification_status"] == "SENT" for each in made)

        wait_until(are_sent)
        assert closings(worker) >= 1

    assert sum_failures(db, []) == 0
    assert_kept(db, novu_standin)


def waiting(db: Db) -> dict[str, int]:
    """Count the waiting rows by the code that they carry."""
    found = db.execute(
        "SELECT error_details->>'code' AS code, count(*) AS n FROM notify.ent_notification"
        " WHERE notification_status IN ('PENDING', 'PROCESSING', 'FAILED') GROUP BY 1"
    ).fetchall()
    return {"novu_blocked": 0} | {state["code"]: state["n"] for state in found}


def closings(worker: WorkerProgram) -> int:
    """Return how often the gate was closed, by the log; each line has a reason and a pause."""
    lines: list[dict[str, Any]] = worker.lines("gate closed")
    assert all(line["reason"] and line["pause_seconds"] > 0 for line in lines)
    return len(lines)


def test_a_heavy_body_ends_dead_at_the_first_413(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The sentence contains its weight and who refused it."""
    refuse(novu_standin, 413, PAGE)
    workflow = a_workflow(db)
    heavy = {"attachments": [{"file": "A" * 1_020_000, "name": "a.pdf", "mime": "application/pdf"}]}
    with running_worker(tmp_path, **worker_environment, **SOON), serving_others(db, workflow):
        bad = a_notification(db, workflow=workflow, recipients=["bad-1"], payload=heavy)
        wait_until(lambda: row(db, bad)["notification_status"] == "DEAD")
    message = row(db, bad)["error_details"]["message"]
    assert message.startswith(
        "Novu: rejects it with 413 (something in front of Novu does not take its body of 102"
    )
    assert_kept(db, novu_standin)
