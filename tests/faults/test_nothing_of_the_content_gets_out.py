"""However much goes wrong, no payload, recipient, text or key gets into a log, a page, an error or Temporal's history."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_template, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

CANARY = "canary"
KEY, TOKEN = f"{CANARY}-key-of-novu", f"{CANARY}-token-of-monitoring"
PAYLOAD = {"secret": f"{CANARY}-value", f"{CANARY}-name": [1], "number": 7}
CONTENT: Mapping[str, Any] = {
    "name": f"{CANARY}-title",
    "payload": PAYLOAD,
    "overrides": {"email": {"subject": f"{CANARY}-subject"}},
    "actor": f"{CANARY}-actor",
    "context": {"project": f"{CANARY}-project"},
}
SOON = {
    "POLL_INTERVAL_MS": "200",
    "FAILED_POLL_INTERVAL_MS": "200",
    "MAX_FAILURES": "2",
    "NOVU_TIMEOUT_MS": "1000",
}
SCHEMA = {"type": "object", "properties": {"secret": {"type": "integer"}}, "additionalProperties": False}
ENDED = ("SENT", "DEAD", "RETRACTED")

DUE_AGAIN = """
UPDATE notify.ent_notification SET next_attempt_at = now()
WHERE notification_status = 'FAILED' AND next_attempt_at > now()"""

DETAILS = """
SELECT string_agg(error_details::text, ' ') AS found FROM (
    SELECT error_details FROM notify.ent_notification
    UNION ALL SELECT error_details FROM notify.ent_notification_delivery
    UNION ALL SELECT jsonb_build_array(report, error) FROM notify.chore
    UNION ALL SELECT to_jsonb(checked_error) FROM notify.ent_notification_template
    UNION ALL SELECT to_jsonb(checked_error) FROM notify.ent_notification_workflow
) AS parts"""


def break_novu(standin: NovuStandIn) -> None:
    """Let Novu and what stands in front of it fail in every way, and quote the call."""
    quoting = f'{{"statusCode":400,"message":"{CANARY}-quoted","path":"/{CANARY}"}}'
    broken: Mapping[str, Mapping[str, Any]] = {
        "rejects": {"kind": "status", "status": 400, "body": quoting},
        "page": {"kind": "status", "status": 403, "body": f"<p>{CANARY}</p>", "cached": False},
        "fails": {"kind": "status", "status": 500, "body": f"{CANARY}", "cached": False},
        "nonsense": {"kind": "malformed", "body": f'{{"data":{{"status":"{CANARY}"'},
        "verdict": {"kind": "verdict", "verdict": "error"},
        "hangs": {"kind": "accept_then_hang", "seconds": 60},
        "resets": {"kind": "reset_before_accept"},
    }
    for name, fault in broken.items():
        standin.fault(match={"recipient": f"{CANARY}-{name}*"}, times=3, **fault)


def insert(db: Db) -> None:
    """Insert a notification for each fault."""
    plain = a_workflow(db, send_context=True)
    for name in ("fine", "rejects", "page", "fails", "nonsense", "verdict", "hangs", "resets"):
        a_notification(db, workflow=plain, recipients=[f"{CANARY}-{name}"], **CONTENT)
    many = [f"{CANARY}-rejects-{number}" for number in range(101)]
    a_notification(db, workflow=plain, recipients=many, **CONTENT)
    unfit = a_workflow(db, key="unfit", payload_schema=SCHEMA)
    for body in ("${missing}", "${secret + number}", "${secret"):
        key = f"broken-{len(body)}"
        a_template(db, key=key, body_template=f"{CANARY} {body}")
        dynamic = a_workflow(
            db,
            key=key,
            workflow_type="DYNAMIC",
            default_channels=["EMAIL"],
            template_overrides={"EMAIL": key},
        )
        a_notification(db, workflow=dynamic, recipients=[f"{CANARY}-template"], **CONTENT)
    for workflow in (unfit, a_workflow(db, key="draft", publish_status="DRAFT"), None):
        a_notification(db, workflow=workflow, recipients=[f"{CANARY}-unfit"], **CONTENT)
    expired = {**CONTENT, "expires_at": "2020-01-01T00:00Z"}
    a_notification(db, workflow=plain, recipients=[f"{CANARY}-expired"], **expired)


async def histories(address: str, task_queue: str) -> bytes:
    """Return everything that Temporal keeps of the runs of a queue."""
    client = await Client.connect(address)
    parts: list[bytes] = []
    async for run in client.list_workflows(f"TaskQueue = '{task_queue}'"):
        parts.append(run.raw_info.SerializeToString())
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        parts += [event.SerializeToString() for event in history.events]
    return b"".join(parts)


def pages(worker: WorkerProgram) -> Iterator[str]:
    """Yield what the worker shows, with the token."""
    for page in ("health", "status", "metrics", "readyz"):
        yield worker.get(page).text


@only("auto", because="a claim decides, so some have runs of their own and others share them")
def test_nothing_of_the_content_gets_out(
    db: Db, worker_environment: dict[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The search would find it: Novu has got the content, and Temporal has the enterprise."""
    novu_standin.switch(secret_key=KEY)
    break_novu(novu_standin)
    insert(db)
    secrets = {"NOVU_SECRET_KEY": KEY, "WORKER_HTTP_TOKEN": TOKEN, "METRICS_ENTERPRISES": "5"}
    with running_worker(tmp_path, **worker_environment, **SOON, **secrets, LOG_LEVEL="debug") as worker:

        def all_ended() -> bool:
            db.execute(DUE_AGAIN)
            left = db.execute(
                "SELECT FROM notify.ent_notification WHERE NOT notification_status = ANY (%s::notify.notification_status[])",
                [list(ENDED)],
            )
            return left.rowcount == 0

        wait_until(all_ended)
        shown = "".join(pages(worker))
        assert worker.stop() == 0
    kept = asyncio.run(
        histories(worker_environment["TEMPORAL_ADDRESS"], worker_environment["TEMPORAL_TASK_QUEUE"])
    )
    details = db.execute(DETAILS).fetchone()
    assert details is not None

    assert CANARY in str(novu_standin.ledger())
    assert b"acme" in kept
    assert {"novu_rejected", "validation_error", "template_failed"} <= set(str(details["found"]).split('"'))
    assert CANARY not in worker.log.read_text()
    assert CANARY not in shown
    assert CANARY not in details["found"]
    assert CANARY.encode() not in kept
