"""Only a revival and a new deployment change a transaction id."""

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from tests.support.logins import a_login, speak_for, without_login
from tests.support.rows import Db, a_notification, open_db
from xnovu_poller.lifecycle import Status

RENAMED = "UPDATE notify.ent_notification SET transaction_id = 'xn-' || gen_random_uuid()"


@pytest.mark.parametrize("status", Status)
def test_no_other_transaction_changes_a_transaction_id(db: Db, status: Status) -> None:
    """Not even a later transaction than a new deployment's; and within that, not if the row is SENT or PROCESSING."""
    a_notification(db, status=status)
    with pytest.raises(CheckViolation, match="does not change once"):
        db.execute(RENAMED.encode())
    lawful = status not in {Status.SENT, Status.PROCESSING}
    try:
        with db.transaction():
            db.execute("UPDATE notify.deployment SET id = gen_random_uuid()")
            db.execute(RENAMED.encode())
    except CheckViolation:
        assert not lawful
    else:
        assert lawful

    with pytest.raises(CheckViolation, match="does not change once"):
        db.execute(RENAMED.encode())


def test_no_transaction_id_has_another_form(db: Db) -> None:
    """Novu would take it for another system's id."""
    a_notification(db)
    with db.transaction(force_rollback=True):
        db.execute("UPDATE notify.deployment SET id = gen_random_uuid()")
        with pytest.raises(CheckViolation, match="does not change once"):
            db.execute("UPDATE notify.ent_notification SET transaction_id = 'mine'")


def test_a_producer_cannot_change_a_transaction_id_and_still_writes(database: str, db: Db) -> None:
    """It may not read the deployment, but writes its own columns as before."""
    a_notification(db)
    login = a_login(database, "xnovu_producer")
    with open_db(login) as producer:
        speak_for(producer, "acme")
        producer.execute("UPDATE notify.ent_notification SET name = 'another'")
        for statement in ("UPDATE notify.deployment SET id = gen_random_uuid()", RENAMED):
            with pytest.raises(InsufficientPrivilege):
                producer.execute(statement.encode())
    without_login(database, login)
