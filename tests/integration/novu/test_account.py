"""The account at Novu: its rate limit, and the probes, whose workflow is gone afterwards."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.novu import NovuStandIn
from xnovu_poller.errors import NovuUnanswered, NovuUnauthorized
from xnovu_poller.novu.account import SUBSCRIBER, NovuAccount, RateLimit


@pytest.fixture
async def account(novu_standin: NovuStandIn) -> AsyncIterator[NovuAccount]:
    """The account of the stand-in."""
    made = NovuAccount(novu_standin.url, "hush", timedelta(seconds=10))
    yield made
    await made.aclose()


async def test_the_limit_is_read_without_a_trigger(account: NovuAccount, novu_standin: NovuStandIn) -> None:
    """From the headers of a call that cancels nothing."""
    assert await account.read_limit() is None
    novu_standin.switch(rate_limit="team")

    assert await account.read_limit() == RateLimit(600, 3300, "team")
    assert novu_standin.stats()["triggers"] == 0


async def test_a_key_that_is_wrong_is_refused(account: NovuAccount, novu_standin: NovuStandIn) -> None:
    """As for deliveries."""
    await account.check_key()
    novu_standin.switch(secret_key="other")

    with pytest.raises(NovuUnauthorized):
        await account.check_key()


async def test_a_probe_reaches_only_its_own_subscriber(
    account: NovuAccount, novu_standin: NovuStandIn
) -> None:
    """Three triggers of two transaction ids, of which the repeat is dropped."""
    assert await account.honours_transaction_ids()

    assert list(novu_standin.deliveries().values()) == [1, 1]
    assert {subscriber for _, subscriber in novu_standin.deliveries()} == {SUBSCRIBER}
    assert all(delivery["channels"] == [] for delivery in novu_standin.ledger()["deliveries"])


async def test_a_novu_that_accepts_anything_cannot_be_probed(
    account: NovuAccount, novu_standin: NovuStandIn
) -> None:
    """A trigger of a workflow that does not exist must be refused."""
    with pytest.raises(NovuUnanswered, match="a workflow that does not exist was triggered"):
        await account.honours_keys()
    novu_standin.switch(workflows_known=False)
    assert not await account.honours_keys()
