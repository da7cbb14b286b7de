"""The doctor's checks of Novu, against the stand-in."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.novu import NovuStandIn
from tests.support.ports import closed_port
from tests.support.rows import Db, a_workflow
from tests.support.syncing import Person, a_dynamic
from tests.support.waiting import WITHIN
from xnovu_poller.doctor import novu
from xnovu_poller.settings import NovuSettings
from xnovu_poller.store.checks import Finding
from xnovu_poller.store.engine import Engine


async def find(url: str, engine: Engine | None = None, *, probe: bool = False) -> dict[str, Finding]:
    """Return the problems, by code."""
    settings = NovuSettings(
        novu_api_url=url, novu_secret_key=SecretStr("hush"), novu_timeout=timedelta(seconds=WITHIN)
    )
    findings = await novu.examine(settings, engine, probe=probe)
    return {found.code: found for found in findings if not found.is_sound}


async def test_a_novu_that_is_away_or_refuses_the_key_is_one_finding(novu_standin: NovuStandIn) -> None:
    """The sentence has the cause, and never the key."""
    novu_standin.switch(secret_key="other")

    with closed_port() as port:
        wrong = await find(novu_standin.url), await find(f"http://127.0.0.1:{port}")

    assert [found["novu_away"].actual for found in wrong] == [
        "Novu: answers 401; check NOVU_SECRET_KEY and NOVU_API_URL",
        "Novu: cannot serve now (the connection was refused; does it run there?)",
    ]
    assert [len(found) for found in wrong] == [1, 1]


async def test_a_plan_that_allows_no_bulk_call_is_found(novu_standin: NovuStandIn) -> None:
    """A bulk call counts as a hundred; the sentence has the limit and the plan."""
    assert await find(novu_standin.url) == {}
    novu_standin.switch(rate_limit="free")
    assert await find(novu_standin.url) == {}
    novu_standin.switch(limits={"trigger": 10})

    wrong = await find(novu_standin.url)

    assert set(wrong) == {"limit_low"}
    assert wrong["limit_low"].actual == "rate limit: 10 triggers a second, 55 at once, plan free"


async def test_workflows_that_differ_from_their_rows_are_found(
    novu_standin: NovuStandIn, db: Db, engine: Engine, person: Person
) -> None:
    """Those that a sync would write, and those that need a person; nothing is written."""
    a_dynamic(db, "welcome")
    unwritten = await find(novu_standin.url, engine)
    a_workflow(db, key="in-novu-only")

    wrong = await find(novu_standin.url, engine)
    a_workflow(db, key="x; run: rm -r /", enterprise="acme")
    odd = await find(novu_standin.url, engine)

    assert unwritten["workflows_apart"].mend == "run xnovu workflows sync"
    assert wrong["workflows_apart"].actual == (
        "workflow in-novu-only: it is STATIC and not in Novu, so its notifications will end DEAD"
    )
    assert odd["workflows_apart"].actual.startswith("workflow x; run: rm -r /: its key cannot be")
    assert odd["workflows_apart"].mend == "choose another workflow_key"
    assert person.keys() == []
    assert db.execute("SELECT FROM notify.workflow_sync").rowcount == 0


@pytest.mark.parametrize(
    ("switches", "codes"),
    [
        ({"idempotency": True}, set()),
        ({}, {"keys_ignored"}),
        ({"idempotency": True, "drop_repeats": False}, {"transaction_ids_ignored"}),
        ({"workflows_known": True}, {"keys_ignored"}),
    ],
)
async def test_a_probe_finds_whether_repeats_are_dropped(
    novu_standin: NovuStandIn, person: Person, switches: dict[str, Any], codes: set[str]
) -> None:
    """On request only; its workflow and its subscriber are gone afterwards."""
    novu_standin.switch(**{"workflows_known": False} | switches)
    assert await find(novu_standin.url) == {}

    wrong = await find(novu_standin.url, probe=True)

    assert set(wrong) == codes
    assert person.keys() == []
    assert person.call("GET", "subscribers") == []


async def test_a_probe_that_is_refused_leaves_nothing(novu_standin: NovuStandIn, person: Person) -> None:
    """As at the limit of a plan; the sentence has Novu's status."""
    novu_standin.switch(workflows_known=False, idempotency=True)
    novu_standin.fault("status", status=402, match={"path": "/v2/workflows", "method": "POST"})

    wrong = await find(novu_standin.url, probe=True)

    assert set(wrong) == {"transaction_ids_ignored"}
    assert "402" in wrong["transaction_ids_ignored"].actual
    assert person.keys() == []
