"""The calls about Novu's workflows: pages, pauses, and answers that cannot be trusted."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.novu import NovuStandIn
from tests.support.syncing import Person
from xnovu_poller.errors import NovuUnanswered, NovuUnavailable, WorkflowRefused
from xnovu_poller.novu.workflows import PER_PAGE, NovuWorkflows, _read_workflow

NEW: dict[str, Any] = {"name": "welcome", "workflowId": "welcome", "steps": []}
LIST = {"method": "GET", "path": "/v2/workflows"}


async def test_every_page_is_read(novu: NovuWorkflows, person: Person) -> None:
    """Novu lists only a part at a time."""
    for number in range(PER_PAGE + 1):
        person.call("POST", "workflows", **{**NEW, "workflowId": f"w{number}"})

    assert len(await novu.list_keys()) == PER_PAGE + 1


async def test_a_pause_that_novu_asks_for_is_waited_for(
    novu: NovuWorkflows, novu_standin: NovuStandIn
) -> None:
    """Then the call is made again."""
    novu_standin.fault("throttle", retry_after=1, match=LIST)

    assert await novu.list_keys() == set()
    assert novu_standin.stats()["calls"] == 2


async def test_a_write_of_unknown_outcome_is_not_repeated(
    novu: NovuWorkflows, novu_standin: NovuStandIn
) -> None:
    """A gateway may have passed it on."""
    novu_standin.fault("accept_then_status", status=502, retry_after=1, match={"path": "/v2/workflows"})
    with pytest.raises(NovuUnavailable):
        await novu.create("welcome", NEW)
    with pytest.raises(WorkflowRefused, match="workflow welcome: Novu answers 409"):
        await novu.create("welcome", NEW)


async def test_a_novu_that_is_slow_or_away_is_a_sentence(
    novu_standin: NovuStandIn, novu: NovuWorkflows
) -> None:
    """It is not waited for beyond the time limit of a call."""
    novu_standin.fault("hang_before_accept", match=LIST)
    hurried = NovuWorkflows(novu_standin.url, "key-1", timedelta(seconds=1))
    with pytest.raises(NovuUnanswered):
        await hurried.list_keys()
    await hurried.aclose()

    away = NovuWorkflows("http://127.0.0.1:1", "key-1", timedelta(seconds=5))
    with pytest.raises(NovuUnavailable, match="refused"):
        await away.list_keys()
    await away.aclose()
    with pytest.raises(WorkflowRefused, match="cannot be found"):
        await novu.read("none")


async def test_a_list_without_an_end_is_left(
    novu: NovuWorkflows, monkeypatch: pytest.MonkeyPatch, person: Person
) -> None:
    """Something that is not Novu may answer each page with further names."""
    monkeypatch.setattr("xnovu_poller.novu.workflows.MOST_PAGES", 1)
    person.call("POST", "workflows", **NEW)
    with pytest.raises(NovuUnanswered, match="a list without an end"):
        await novu.list_keys()


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", float("nan"), float("inf")])
def test_an_answer_that_postgresql_cannot_keep_is_none_of_novus(name: object) -> None:
    """It would have ended the sync with an error of the database."""
    with pytest.raises(NovuUnanswered, match="malformed answer"):
        _read_workflow({**NEW, "name": name})


async def test_no_key_of_an_environment_leaves_the_client(novu: NovuWorkflows) -> None:
    """Novu sends the keys of all environments."""
    assert await novu.list_environments() == [
        {"_id": "standin-environment", "name": "Development", "identifier": "standin-environment"},
        {"_id": "standin-production", "name": "Production", "identifier": "standin-production"},
    ]
