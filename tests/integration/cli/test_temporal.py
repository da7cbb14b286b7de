"""`xnovu temporal setup`: what it makes, that it may run again, and the steps that it leaves on Temporal Cloud."""

import json
from datetime import timedelta

import pytest

from tests.support.forked import xnovu
from xnovu_poller.cli.temporal import print_report
from xnovu_poller.temporal import search, setup
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.namespace import read_namespace

DAYS = timedelta(days=3)


def run(address: str, namespace: str, *words: str) -> tuple[int, str, str]:
    """Run the command with the settings of Temporal only; return its exit code and its output."""
    ended = xnovu("temporal", "setup", *words, TEMPORAL_ADDRESS=address, TEMPORAL_NAMESPACE=namespace)
    return ended.returncode, ended.stdout, ended.stderr


async def test_it_makes_what_is_missing_and_may_run_again(temporal_address: str, task_queue: str) -> None:
    """A namespace that keeps runs for long enough keeps its retention."""
    address = Address(target=temporal_address, namespace=task_queue)
    before = await setup.check(address, DAYS)
    assert (before.done, before.problems) == (
        [],
        [
            f"Temporal: refuses the run (namespace {task_queue} does not exist; create it, or set TEMPORAL_NAMESPACE)"
        ],
    )
    assert before.steps[0].startswith(f"tcld namespace create --namespace {task_queue} --region REGION")

    code, printed, errors = run(temporal_address, task_queue, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(printed) == {
        "done": [
            f"created the namespace {task_queue}, which keeps closed runs for 3 days",
            "registered the search attributes XnovuEnterpriseId, XnovuNotificationId, XnovuWorkflowKey, XnovuOutcome",
        ],
        "steps": [],
        "problems": [],
    }
    client = await connect(address)
    assert (await read_namespace(client)).retention == DAYS
    assert await search.find_unfit(client) == {}

    again = run(temporal_address, task_queue, "--retention-days", "30")
    assert again == (0, "Nothing had to be changed.\n", "")
    assert (await read_namespace(client)).retention == DAYS
    assert await setup.check(address, DAYS) == setup.Report([], [], [])


def test_an_absent_server_is_a_sentence() -> None:
    """It names the setting."""
    code, _, errors = run("127.0.0.1:1", "default")

    assert (code, errors) == (
        1,
        "xnovu: Temporal: does not answer (nothing listens there; check TEMPORAL_ADDRESS)\n",
    )


def test_the_steps_of_a_person_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing claims then that all is well."""
    print_report(setup.Report([], ["tcld namespace create …"], ["Temporal: does not answer"]))

    assert capsys.readouterr() == ("run: tcld namespace create …\n", "xnovu: Temporal: does not answer\n")
