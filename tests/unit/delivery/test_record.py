"""Outcomes that only this process knows are kept until they are written."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import pytest

from tests.support.held import held
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery import record
from xnovu_poller.delivery.record import VerdictWriter
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.verdict import Ending, Verdict

SENT = Verdict(Ending.SENT, held(recipients=[]))


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> VerdictWriter:
    """Return a writer whose last try ends at once."""
    monkeypatch.setattr(record, "_LAST_TRY", timedelta(milliseconds=50))
    return VerdictWriter(cast(Engine, None), Gate(), max_failures=3)


async def test_outcomes_whose_last_write_is_cut_off_are_reported(
    writer: VerdictWriter, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An operator reads how many notifications will be sent again."""

    async def never(_: Sequence[Verdict]) -> dict[int, Status]:
        await asyncio.Event().wait()
        return {}

    writer._arrows[Ending.SENT] = never
    writer._keep(Ending.SENT, [SENT])
    await writer.aclose()
    logged = capsys.readouterr()
    assert "outcomes not recorded" in logged.out + logged.err + caplog.text
    assert writer._kept == {Ending.SENT: [SENT]}


async def test_outcomes_that_meet_a_bug_are_tried_again(writer: VerdictWriter) -> None:
    """A row that Novu has accepted must not be sent again for a bug of ours."""
    tries = 0

    async def fails_once(verdicts: Sequence[Verdict]) -> dict[int, Status]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError
        return {verdict.hold.notification_id: Status.SENT for verdict in verdicts}

    writer._arrows[Ending.SENT] = fails_once
    writer._keep(Ending.SENT, [SENT])
    assert writer._writing_kept is not None
    await writer._writing_kept
    assert (tries, writer._kept) == (2, {})
