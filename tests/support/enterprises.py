"""A database with rows of two enterprises and global rows."""

from collections.abc import Iterator

import pytest
from psycopg import sql

from tests.support.rows import Db, a_notification, a_rule, a_template, a_workflow, open_db


@pytest.fixture
def two_enterprises(any_database: str) -> Iterator[Db]:
    """Yield the superuser's connection to a database with rows of acme and globex, and global rows."""
    with open_db(any_database) as db:
        for enterprise in ("acme", "globex"):
            workflow = a_workflow(db, enterprise=enterprise)
            a_template(db, enterprise=enterprise)
            a_rule(db, enterprise=enterprise, workflow=workflow)
            made = a_notification(db, enterprise=enterprise, workflow=workflow)
            db.execute(
                "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, %s, '{s}', 'xn-1')",
                [made, enterprise],
            )
            db.execute(
                "INSERT INTO notify.ent_notification_event VALUES (%s, 1, %s, 'released', now(), 1, NULL, NULL, 'a', 1, now())",
                [made, enterprise],
            )
            db.execute(
                "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES (%s, 1)", [enterprise]
            )
            db.execute(
                "INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES (%s, %s)", [enterprise] * 2
            )
            db.execute("INSERT INTO notify.brake_count VALUES (%s, now(), 1)", [enterprise])
            db.execute(
                "INSERT INTO notify.pause (enterprise_id, reason, ends_at) VALUES (%s, 'over', now())",
                [enterprise],
            )
            db.execute(
                "INSERT INTO notify.api_key (prefix, hash, enterprise_id, name, scopes)"
                " VALUES (lpad(%s, 12, '0'), sha256(''), %s, 'test', '{send}')",
                [enterprise] * 2,
            )
            db.execute(
                "INSERT INTO notify.ent_audit (action, actor, enterprise_id) VALUES ('retract', 'ann', %s)",
                [enterprise],
            )
        a_workflow(db)
        a_template(db)
        yield db


def read_owners(db: Db, relation: str) -> list[str | None]:
    """Return the enterprises of the rows that a connection sees in a table or view."""
    statement = sql.SQL("SELECT enterprise_id FROM notify.{} ORDER BY enterprise_id").format(
        sql.Identifier(relation)
    )
    return [found["enterprise_id"] for found in db.execute(statement)]


def id_of(db: Db, enterprise: str) -> int:
    """Return the notification of an enterprise."""
    found = db.execute(
        "SELECT id FROM notify.ent_notification WHERE enterprise_id = %s", [enterprise]
    ).fetchone()
    assert found is not None
    return int(found["id"])
