"""Following one rule: a bug, and the text of a tenant, stay with that rule."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from typing_extensions import override

from tests.integration.temporal.conftest import Run
from tests.support.logs import logged_in_full
from tests.support.rows import Db, a_rule
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.rules.decisions import Step
from xnovu_poller.temporal.rules.follow import Follower
from xnovu_poller.temporal.rules.schedules import RuleSchedules


class BrokenConfig(dict[str, Any]):
    """A config that fails when it is read."""

    @override
    def items(self) -> NoReturn:
        """Fail as a bug would."""
        raise LookupError("value-marker")


async def test_a_bug_in_one_rule_stops_no_other(
    engine: Engine, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """The rule's row has the name of the bug, and no more."""
    for _ in range(2):
        a_rule(db, workflow=workflow)
    good, bad = await rules.read_all(engine)

    batch = Follower(schedules, {}, datetime.now(UTC)).decide(
        [replace(bad, config=BrokenConfig(cron="0 9 * * *")), good], {}
    )

    assert [decision.step for decision in batch] == [Step.LEAVE, Step.CREATE]
    assert (batch[0].state.status, batch[0].state.error) == (RuleStatus.FAILED, "a bug: LookupError")


async def test_the_log_marks_and_cuts_what_a_tenant_wrote(run: Run, db: Db, workflow: int) -> None:
    """Our own sentence stands apart from it."""
    a_rule(db, workflow=workflow, trigger_config={"cron": "@daily", "forged\n" * 100: 1})

    with logged_in_full() as written:
        assert await run() == {"invalid": 1}

    (line,) = [line for line in written.getvalue().splitlines() if "rule not scheduled" in line]
    assert "tenant_wrote" in line
    assert line.count("forged") < 10
    assert "there is no such key; write one of cron" in line
