"""Three thousand rules, on a Temporal of their own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.integration.temporal.conftest import Run
from tests.support.rows import Db
from tests.support.waiting import eventually
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.temporal.rules.schedules import RuleSchedules

MANY = 3_000


@pytest.fixture
def temporal_address(tmp_path: Path) -> Iterator[str]:
    """Keep these schedules off the session's server."""
    with Temporal(tmp_path / "temporal") as server:
        yield server.address


@pytest.fixture
def deployment() -> UUID:
    """A deployment whose schedules need not be deleted."""
    return uuid4()


async def test_every_rule_gets_its_schedule_and_keeps_it(
    run: Run, db: Db, workflow: int, schedules: RuleSchedules
) -> None:
    """Regression: rules beyond the first thousand lost their schedules."""
    # Back-dated, because the schedules of rules that have just changed are read singly.
    db.execute("ALTER TABLE notify.ent_notification_rule DISABLE TRIGGER keep_updated_at")
    db.execute(
        "INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type,"
        " trigger_config, rule_payload, publish_status, updated_at)"
        " SELECT 'acme', 'r' || i, %s, 'CRON', '{\"cron\": \"0 9 * * *\"}', '{\"recipients\": [\"s\"]}', 'PUBLISH',"
        " now() - interval '1 hour' FROM generate_series(1, %s) AS i",
        [workflow, MANY],
    )

    assert await run() == {"created": MANY}

    async def all_listed() -> bool:
        return len(await schedules.list()) == MANY

    await eventually(all_listed, within=120)
    assert await run() == {"unchanged": MANY}
    scheduled = db.execute("SELECT FROM notify.ent_notification_rule WHERE rule_status = 'SCHEDULED'")
    assert scheduled.rowcount == MANY
