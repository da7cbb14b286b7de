"""The rules for values hold for every writer and cannot be disabled; frozen columns are frozen in every way."""

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db, a_notification, row
from xnovu_poller.lifecycle import Status

INSERT = (
    "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('acme', 'n', '{a,NULL}')"
)

UPDATE = b"UPDATE notify.ent_notification SET "


def test_no_setting_disables_the_rules(db: Db) -> None:
    """Triggers do not fire for a replica, but these are constraints."""
    db.execute("SET session_replication_role = replica")

    with pytest.raises(CheckViolation, match="ent_notification_recipients_check"):
        db.execute(INSERT)


def test_copied_values_are_checked(db: Db) -> None:
    """COPY is checked like any other source of values."""
    copied = "COPY notify.ent_notification (enterprise_id, name, recipients, payload) FROM STDIN"

    with (
        pytest.raises(CheckViolation, match="ent_notification_payload_check"),
        db.cursor().copy(copied) as copy,
    ):
        copy.write_row(("acme", "n", ["a"], "[1]"))


@pytest.mark.parametrize(
    "change", ["recipients = '{}'", "recipients[1] = NULL", "recipients[1] = ''", "payload = '[1]'"]
)
def test_an_update_cannot_break_the_rules(db: Db, change: str) -> None:
    """For a row that is not claimed yet, in whole or in part."""
    made = a_notification(db)

    with pytest.raises(CheckViolation, match=r"ent_notification_\w+_check"):
        db.execute(UPDATE + change.encode())
    assert row(db, made)["recipients"] == ["subscriber-1"]


@pytest.mark.parametrize("change", ["recipients[1] = 'b'", "payload['a'] = '1'"])
def test_a_part_of_a_frozen_column_is_frozen_too(db: Db, change: str) -> None:
    """The guard compares the columns that an update names."""
    a_notification(db, status=Status.FAILED)

    with pytest.raises(CheckViolation, match="does not change once it has been claimed"):
        db.execute(UPDATE + change.encode())


def test_an_insert_that_becomes_an_update_changes_nothing_frozen(db: Db) -> None:
    """`ON CONFLICT` names its columns too."""
    made = a_notification(db, dedup_key="once", status=Status.FAILED)

    with pytest.raises(CheckViolation, match="does not change once it has been claimed"):
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, payload, dedup_key)"
            " VALUES ('acme', 'again', '{subscriber-1}', '{\"a\": 1}', 'once')"
            " ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL"
            " DO UPDATE SET payload = excluded.payload"
        )
    assert row(db, made)["payload"] == {}
