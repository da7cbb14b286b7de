"""A few of a hundred notifications in one workflow and call are bad: only these end badly."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_template, a_workflow, row
from tests.support.worker import running_worker

Environment = Mapping[str, str]

GROUP = 100

STATES = """
SELECT notification_status::text AS status, attempt, failure_count, lapses FROM notify.ent_notification
WHERE NOT id = ANY (%s)"""

pytestmark = only("group", because="without groups no row has neighbours")


def neighbours(db: Db, count: int) -> None:
    """Insert good notifications."""
    workflow = a_workflow(db, key="good")
    for number in range(count):
        a_notification(db, workflow=workflow, recipients=[f"s{number}"])


def others(db: Db, *bad: int) -> Counter[tuple[str, int, int, int]]:
    """Count the neighbours by state, attempt and the counters held against them."""
    found = db.execute(STATES, [list(bad)])
    return Counter(
        (neighbour["status"], neighbour["attempt"], neighbour["failure_count"], neighbour["lapses"])
        for neighbour in found
    )


def test_a_row_that_cannot_be_sent_ends_dead_with_the_reason(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """An invalid payload, a failing template, a missing template, a missing workflow, and a refusal by Novu."""
    a_template(db, key="fails", body_template="${nobody}")
    email = {"workflow_type": "DYNAMIC", "default_channels": "{EMAIL}"}
    with db.transaction():
        neighbours(db, GROUP // 2)
        checked = a_workflow(db, key="checked", payload_schema={"required": ["parcel"]})
        fails = a_workflow(db, key="fails", template_overrides={"EMAIL": "fails"}, **email)
        missing = a_workflow(db, key="missing", template_overrides={"EMAIL": "nowhere"}, **email)
        draft = a_workflow(db, key="draft", publish_status="DRAFT")
        refused = a_workflow(db, key="refused")
        bad = {
            "validation_error": a_notification(db, workflow=checked),
            "template_failed": a_notification(db, workflow=fails),
            "template_missing": a_notification(db, workflow=missing),
            "workflow_not_found": a_notification(db, workflow=draft),
            "novu_rejected": a_notification(db, workflow=refused),
        }
        neighbours_left = GROUP - GROUP // 2 - len(bad)
        workflow = a_workflow(db, key="good too")
        for _ in range(neighbours_left):
            a_notification(db, workflow=workflow)
    novu_standin.workflow("refused", known=False)
    with running_worker(tmp_path, **worker_environment):
        until_settled(db)

    for code, notification_id in bad.items():
        kept = row(db, notification_id)
        assert (kept["notification_status"], kept["error_details"]["code"]) == ("DEAD", code)
        assert (kept["attempt"], kept["unknown_outcomes"]) == (1, 0)
    assert others(db, *bad.values()) == {("SENT", 1, 0, 0): GROUP - len(bad)}
    assert novu_standin.stats()["calls"] == 1
    assert_kept(db, novu_standin)


def test_a_row_on_which_novu_fails_takes_no_neighbour_with_it(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Novu answers 500 to each call with this row. Afterwards rows are sent by themselves, and no neighbour fails."""
    novu_standin.fault("status", status=500, match={"workflow": "choking"}, times=None)
    with db.transaction():
        neighbours(db, GROUP - 1)
        choking = a_notification(db, workflow=a_workflow(db, key="choking"))
    with running_worker(tmp_path, **worker_environment, MAX_FAILURES="1"):
        until_settled(db)

    kept = row(db, choking)
    assert (kept["notification_status"], kept["error_details"]["code"]) == ("DEAD", "novu_unanswered")
    assert {(status, *counts) for status, _, *counts in others(db, choking)} == {("SENT", 0, 0)}
    assert_kept(db, novu_standin)
