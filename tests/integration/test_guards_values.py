"""What a value has to be holds for whoever makes it, and nobody else is asked; what is frozen is so on every way."""

import pytest
from psycopg.errors import CheckViolation

from tests.support.rows import Db, a_notification, row
from xnovu_poller.lifecycle import Status

INSERT = (
    "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('acme', 'n', '{a,NULL}')"
)

UPDATE = b"UPDATE notify.ent_notification SET "


def test_no_setting_switches_the_rules_off(db: Db) -> None:
    """Triggers are silent for a replica; these are no triggers."""
    db.execute("SET session_replication_role = replica")

    with pytest.raises(CheckViolation, match="ent_notification_recipients_check"):
        db.execute(INSERT)


def test_copied_values_are_looked_at(db: Db) -> None:
    """By the rule, wherever the value comes from."""
    copied = "COPY notify.ent_notification (enterprise_id, name, recipients, payload) FROM STDIN"

    with (
        pytest.raises(CheckViolation, match="ent_notification_payload_check"),
        db.cursor().copy(copied) as copy,
    ):
        copy.write_row(("acme", "n", ["a"], "[1]"))


@pytest.mark.parametrize(
    "change", ["recipients = '{}'", "recipients[1] = NULL", "recipients[1] = ''", "payload = '[1]'"]
)
def test_an_update_makes_no_nonsense(db: Db, change: str) -> None:
    """Of a row that is not claimed yet, as a whole or in part."""
    made = a_notification(db)

    with pytest.raises(CheckViolation, match=r"ent_notification_\w+_check"):
        db.execute(UPDATE + change.encode())
    assert row(db, made)["recipients"] == ["subscriber-1"]


@pytest.mark.parametrize("change", ["recipients[1] = 'b'", "payload['a'] = '1'"])
def test_a_part_is_as_frozen_as_the_whole(db: Db, change: str) -> None:
    """The guard goes by the columns that an update names."""
    a_notification(db, status=Status.FAILED)

    with pytest.raises(CheckViolation, match="does not change once it has been claimed"):
        db.execute(UPDATE + change.encode())


def test_an_insert_that_becomes_an_update_thaws_nothing(db: Db) -> None:
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
