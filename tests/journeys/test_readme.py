"""The examples of the documents work: their SQL runs, and Novu gets the payloads that they show."""

import json
import re
from pathlib import Path

import pytest

from tests.house import sources
from tests.support.forked import xnovu
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import QUICK, running_worker

README = sources.text(Path("README.md"))


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def payloads(text: str) -> dict[str, object]:
    """Return the payloads that a document shows, by the workflow named after `json`."""
    shown = re.findall(r"^```json (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {workflow: json.loads(payload) for workflow, payload in shown}


def commands(text: str, beginning: str, environment: dict[str, str]) -> int:
    """Run the commands that begin so, and compare their output with the document; return how many there are."""
    shown = re.findall(rf"^```console\n\$ ({beginning} [^\n]+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for command, output in shown:
        ended = xnovu(*command.split()[1:], **environment)
        assert (ended.stdout, ended.stderr) == (output, "")
    return len(shown)


def waiting(db: Db) -> list[object]:
    """Return the states of the notifications that have not ended."""
    states = db.execute("SELECT notification_status AS state FROM notify.ent_notification")
    return [row["state"] for row in states if row["state"] not in {"SENT", "DEAD", "RETRACTED"}]


def test_the_readme_works(
    db: Db, worker_environment: dict[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Pasted in order, with a running worker, each example reaches Novu as the README shows it."""
    for block in blocks(README, "sql"):
        db.execute(block.encode())
    assert commands(README, "xnovu workflows", {**QUICK, **worker_environment}) == 1

    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: not waiting(db))
        assert worker.stop() == 0

    triggers = {trigger["workflow"]: trigger for trigger in novu_standin.ledger()["triggers"]}
    assert {name: trigger["event"]["payload"] for name, trigger in triggers.items()} == payloads(README)
    shown = {delivery["workflow"]: delivery["rendered"] for delivery in novu_standin.ledger()["deliveries"]}
    assert shown["fire-alarm"] == {
        "email": {"subject": "North: fire alarm", "body": "<p>Dear neighbour, leave by stair &lt;B&gt;.</p>"}
    }
    assert {trigger["enterprise"] for trigger in triggers.values()} == {"acme"}
    assert set(payloads(README)) == {"order-shipped", "fire-alarm"}


@pytest.mark.parametrize("page", ["notifications", "templates", "rules", "operations", "runbook", "settings"])
def test_the_sql_of_a_page_runs(db: Db, page: str) -> None:
    """The blocks run in order, with the workflows that the pages name."""
    for key in ("order-shipped", "fire-drill"):
        a_workflow(db, key=key)
    statements = blocks(sources.text(Path(f"docs/{page}.md")), "sql")

    for block in statements:
        db.execute(block.encode())

    assert statements
