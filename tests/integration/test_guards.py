"""The refusals of the database, for every writer: this test writes as its superuser."""

from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, NotNullViolation, UniqueViolation

from tests.support.rows import Db, a_notification, a_template, a_workflow, row, written
from xnovu_poller.lifecycle import LAWFUL_MOVES, Status

MOVES = [
    (start, end)
    for start, end in product(Status, repeat=2)
    # An update without a change of state is no move, unless a row is claimed again.
    if start is not end or (start, end) in LAWFUL_MOVES
]

ARRIVALS: dict[Status, dict[str, Any]] = {
    Status.PENDING: {"next_attempt_at": None},
    Status.PROCESSING: {"lease_expires_at": "2100-01-01", "temporal_workflow_id": "w"},
    Status.SENT: {},
    Status.FAILED: {"next_attempt_at": "2020-01-01"},
    Status.DEAD: {},
    Status.RETRACTED: {"retracted_at": "2020-01-01"},
}
"""The columns that a row of each state needs, so that only the move itself can be refused."""

MACHINES: dict[str, Any] = {
    "notification_status": "SENT",
    "transaction_id": "mine",
    **dict.fromkeys(("attempt", "failure_count", "refusals", "unknown_outcomes", "lapses"), 1),
    "claimed_at": "2020-01-01",
    "lease_expires_at": "2100-01-01",
    "send_until": "2100-01-01",
    "next_attempt_at": "2020-01-01",
    "retract_requested_at": "2020-01-01",
    "processed_at": "2020-01-01",
    "retracted_at": "2020-01-01",
    "temporal_workflow_id": "w",
    "error_details": {},
    "retraction_reason": "mine",
    "created_at": "2020-01-01",
    "updated_at": "2020-01-01",
    "created_by": "another",
}

FROZEN: dict[str, Any] = {
    "enterprise_id": "globex",
    "notification_workflow_id": None,
    "recipients": ["someone-else"],
    "payload": {"a": 2},
    "channels": ["SMS"],
    "overrides": {"a": 2},
    "locale": "de_CH",
    "time_zone": "Europe/Zurich",
    "actor": "someone-else",
    "context": {"project": {"id": "p-17", "data": {"n": 1}}},
    "exclude": ["someone-else"],
    "subscribers": {"subscriber-1": {"email": "a@example.org", "data": {"n": 1}}},
}

FREE: dict[str, Any] = {
    "name": "another",
    "tags": ["a"],
    "priority": 9,
    "dedup_key": "d",
    "publish_status": "DRAFT",
    "deactivated": True,
    "scheduled_for": "2100-01-01",
    "expires_at": "2100-01-01",
}


def move(db: Db, made: int, end: Status) -> str:
    """Move a row to a state with the columns that it needs there; return the message of a refusal."""
    before = row(db, made)
    arrival: dict[str, Any] = {
        "notification_status": end.value,
        "attempt": before["attempt"] + (end is Status.PROCESSING),
        "lease_expires_at": None,
        "retracted_at": None,
    }
    try:
        written(db, made, **(arrival | ARRIVALS[end]))
    except CheckViolation as error:
        return str(error)
    return ""


@pytest.mark.parametrize("role", ["NONE", "xnovu_worker"])
def test_the_lawful_moves_are_those_of_the_lifecycle(db: Db, role: str) -> None:
    """The worker's role may write every column, but like others only lawful moves: every pair of states is tried."""
    made = {pair: a_notification(db, status=pair[0]) for pair in MOVES}
    db.execute(f"SET ROLE {role}".encode())

    refused = {pair for pair in MOVES if "is not a lawful transition" in move(db, made[pair], pair[1])}

    assert refused == set(MOVES) - LAWFUL_MOVES
    states = {pair: row(db, made[pair])["notification_status"] for pair in MOVES}
    assert states == {(start, end): end if (start, end) in LAWFUL_MOVES else start for start, end in MOVES}


def test_an_insert_that_becomes_an_update_is_guarded_too(db: Db) -> None:
    """Otherwise `ON CONFLICT` would bypass both triggers."""
    made = a_notification(db, dedup_key="once", status=Status.SENT)

    with pytest.raises(CheckViolation, match="is not a lawful transition"):
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, dedup_key)"
            " VALUES ('acme', 'again', '{subscriber-1}', 'once')"
            " ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL"
            " DO UPDATE SET notification_status = 'PENDING'"
        )
    assert row(db, made)["notification_status"] == "SENT"


@pytest.mark.parametrize("status", Status)
def test_an_update_may_keep_the_state(db: Db, status: Status) -> None:
    """An update of a free column is no move in any state, and sets `updated_at`."""
    made = a_notification(db, status=status)
    before = row(db, made)

    written(db, made, **FREE)

    after = row(db, made)
    assert after["notification_status"] == status
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("step", [-1, 2])
@pytest.mark.parametrize("status", Status)
def test_the_attempt_rises_by_one_and_never_falls(db: Db, status: Status, step: int) -> None:
    """It is the right to write, so nobody may get the same number twice."""
    made = a_notification(db, status=status)
    changed: dict[str, Any] = {"attempt": row(db, made)["attempt"] + step}
    if (status, Status.PROCESSING) in LAWFUL_MOVES:
        changed |= {"notification_status": "PROCESSING"} | ARRIVALS[Status.PROCESSING]

    with pytest.raises(CheckViolation, match="attempt"):
        written(db, made, **changed)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PROCESSING])
def test_the_attempt_rises_only_with_a_claim(db: Db, status: Status) -> None:
    """It does not rise without a claim, and no claim comes without it."""
    made = a_notification(db, status=status)

    with pytest.raises(CheckViolation, match="attempt"):
        written(db, made, attempt=row(db, made)["attempt"] + 1)
    if (status, Status.PROCESSING) in LAWFUL_MOVES:
        with pytest.raises(CheckViolation, match="attempt"):
            written(db, made, notification_status="PROCESSING", **ARRIVALS[Status.PROCESSING])


@pytest.mark.parametrize("column", MACHINES)
def test_an_insert_sets_no_column_of_the_machine(db: Db, column: str) -> None:
    """Each column is tried by itself."""
    with pytest.raises(CheckViolation, match="that only the worker writes"):
        a_notification(db, **{column: MACHINES[column]})


def test_every_column_is_known_here(db: Db) -> None:
    """A new column must be added to one of the three groups."""
    found = set(row(db, a_notification(db)))

    assert found == {"id", "notification_rule_id", "fired_at", *MACHINES, *FROZEN, *FREE}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.RETRACTED])
def test_the_content_is_frozen_by_the_first_claim(db: Db, status: Status) -> None:
    """Novu drops a repeat by its transaction id, so its content must not change; each column is tried by itself."""
    content: dict[str, Any] = {
        "workflow": a_workflow(db),
        "payload": {"a": 1},
        "channels": ["EMAIL"],
        "overrides": {"a": 1},
    }
    refusals: dict[str, str] = {}

    for column, value in FROZEN.items():
        made = a_notification(db, status=status, **content)
        try:
            written(db, made, **{column: value})
        except CheckViolation as error:
            refusals[column] = str(error)

    frozen = {column for column in refusals if "not change once it has been claimed" in refusals[column]}
    assert frozen == set(refusals) == (set() if status is Status.PENDING else set(FROZEN))


@pytest.mark.parametrize("status", Status)
def test_the_identity_of_a_row_never_changes(db: Db, status: Status) -> None:
    """Its creation time, its login, and the transaction id that Novu knows."""
    made = a_notification(db, status=status)

    for column in ("created_at", "created_by", "transaction_id"):
        with pytest.raises(CheckViolation):
            written(db, made, **{column: MACHINES[column]})


def test_only_a_revival_from_retracted_takes_a_new_transaction_id(db: Db) -> None:
    """Novu would drop the former id; DEAD keeps its id, because Novu may have accepted it."""
    retracted, dead = (a_notification(db, status=status) for status in (Status.RETRACTED, Status.DEAD))

    written(db, retracted, notification_status="PENDING", retracted_at=None, transaction_id="xn-new")
    with pytest.raises(CheckViolation):
        written(db, dead, notification_status="PENDING", transaction_id="xn-new")


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("recipients", [], "recipients"),
        ("recipients", ["a", None], "recipients"),
        ("recipients", ["a", ""], "recipients"),
        ("priority", -1, "priority"),
        ("priority", 10, "priority"),
        ("payload", psycopg.types.json.Jsonb([1]), "payload"),
        ("payload", psycopg.types.json.Jsonb("text"), "payload"),
        ("payload", psycopg.types.json.Jsonb(None), "payload"),
        ("overrides", psycopg.types.json.Jsonb([1]), "overrides"),
        ("overrides", psycopg.types.json.Jsonb("text"), "overrides"),
        ("overrides", psycopg.types.json.Jsonb(None), "overrides"),
        ("enterprise_id", "", "enterprise"),
        ("enterprise_id", "é" * 128, "enterprise"),
        ("channels", [], "channels"),
        ("channels", ["EMAIL", None], "channels"),
    ],
)
def test_invalid_values_are_refused(db: Db, column: str, value: object, rule: str) -> None:
    """The database itself refuses it, with the name of the rule."""
    with pytest.raises(CheckViolation, match=f"ent_notification_{rule}_check"):
        a_notification(db, **dict[str, Any]({column: value}))


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("workflow_key", "", "key"),
        ("workflow_key", "é" * 128, "key"),
        ("default_channels", ["EMAIL", None], "channels"),
    ],
)
def test_a_workflow_that_nobody_could_hand_off_is_refused(
    db: Db, column: str, value: object, rule: str
) -> None:
    """Its notifications would be claimed and released for ever."""
    with pytest.raises(CheckViolation, match=f"ent_notification_workflow_{rule}_check"):
        a_workflow(db, **dict[str, Any]({column: value}))


def test_a_change_of_a_template_is_seen_by_all_who_follow_it(db: Db) -> None:
    """Its version and what it uses follow; the result of a check is forgotten, and is no change itself."""
    made = a_template(db, locale="de-CH", body_template="file=\"no tag\" ${'file'}")
    text = sql.SQL("UPDATE notify.ent_notification_template SET {} WHERE id = {} RETURNING *")

    def change(columns: str) -> dict[str, Any]:
        found = db.execute(text.format(sql.SQL(columns), sql.Literal(made))).fetchone()
        assert found is not None
        return found

    checked = change("checked_status = 'ERROR', checked_error = 'no layout'")
    again = change("checked_status = 'OK', checked_error = NULL")
    body = """<%inherit file="frame"/><%include file = 'part' args="a=b"/><%include file="part"/>"""
    changed = change(f"uses = '{{mine}}', body_template = $${body}$$")

    assert (checked["locale"], checked["uses"], checked["checked_status"]) == ("de_CH", None, "ERROR")
    assert (again["updated_at"], again["checked_status"]) == (checked["updated_at"], "OK")
    assert changed["updated_at"] > again["updated_at"]
    assert (changed["uses"], changed["checked_status"]) == (["frame", "part"], None)


def test_a_key_has_a_template_for_each_language(db: Db) -> None:
    """One for any, and one for each; an upsert needs the whole key."""
    for locale in (None, "de", "de_CH"):
        a_template(db, locale=locale)
        a_template(db, enterprise="acme", locale=locale)
        with pytest.raises(UniqueViolation):
            a_template(db, locale=locale)
        with pytest.raises(UniqueViolation):
            a_template(db, enterprise="acme", locale=locale)


@pytest.mark.parametrize(
    "column", ["enterprise_id", "name", "payload", "recipients", "priority", "publish_status"]
)
def test_required_columns_are_required(db: Db, column: str) -> None:
    """NULL is not allowed in these columns."""
    with pytest.raises(NotNullViolation):
        a_notification(db, **dict[str, Any]({column: None}))


@pytest.mark.parametrize(
    ("status", "column", "value", "rule"),
    [
        (Status.PROCESSING, "lease_expires_at", None, "lease"),
        (Status.PROCESSING, "temporal_workflow_id", None, "holder"),
        (Status.SENT, "lease_expires_at", "2100-01-01", "lease"),
        (Status.PENDING, "send_until", "2100-01-01", "send"),
        (Status.PENDING, "next_attempt_at", "2020-01-01", "fresh"),
        (Status.FAILED, "next_attempt_at", None, "retry"),
        (Status.RETRACTED, "retracted_at", None, "retracted"),
        (Status.SENT, "retracted_at", "2020-01-01", "retracted"),
        (Status.PENDING, "failure_count", -1, "counters"),
    ],
)
def test_no_state_contradicts_itself(db: Db, status: Status, column: str, value: Any, rule: str) -> None:  # noqa: ANN401 - any column's
    """For example a lease without a holder, or a send that nobody makes: no writer can leave such a row."""
    made = a_notification(db, status=status)

    with pytest.raises(CheckViolation, match=f"ent_notification_{rule}_check"):
        written(db, made, **{column: value})


def test_a_key_is_unique_within_an_enterprise_and_among_global_rows(db: Db) -> None:
    """Workflows have their key; templates have key and channel."""
    for enterprise in (None, "acme"):
        a_workflow(db, enterprise=enterprise)
        a_template(db, enterprise=enterprise)
        a_template(db, enterprise=enterprise, channel_type="SMS")
        with pytest.raises(UniqueViolation):
            a_workflow(db, enterprise=enterprise)
        with pytest.raises(UniqueViolation):
            a_template(db, enterprise=enterprise)


def test_there_is_only_one_deployment(db: Db) -> None:
    """Two rows would make it unclear which deployment a run belongs to."""
    for singleton in (True, False):
        with pytest.raises((UniqueViolation, CheckViolation)):
            db.execute(
                "INSERT INTO notify.deployment (singleton, database) VALUES (%s, 'other')", [singleton]
            )


@pytest.mark.parametrize("table", ["ent_notification_workflow", "ent_notification_template"])
def test_a_change_sets_updated_at(db: Db, table: str) -> None:
    """Caches compare `updated_at`."""
    (a_workflow if table.endswith("workflow") else a_template)(db)
    statement = sql.SQL(
        "UPDATE notify.{} SET name = 'new', updated_at = '2000-01-01' RETURNING updated_at > created_at AS dated"
    )

    assert db.execute(statement.format(sql.Identifier(table))).fetchone() == {"dated": True}
