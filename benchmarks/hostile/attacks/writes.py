"""Writes that reach beyond the attacker's rows: foreign ids, foreign enterprises, machine columns."""

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.hostile.attacks.attack import (
    ATTACKER,
    VICTIMS,
    Attack,
    Report,
    Target,
    attempt,
    login,
    repeat,
)

_BY_PRODUCER: Sequence[str] = (
    # Take the ids that others' rows would get.
    """
    INSERT INTO notify.ent_notification_workflow (id, enterprise_id, workflow_key, name, workflow_type)
    OVERRIDING SYSTEM VALUE
    SELECT n + 1000, %(attacker)s, 'squat-' || n, 'n', 'STATIC' FROM generate_series(1, 5000) n
    """,
    """
    INSERT INTO notify.ent_notification_template (id, enterprise_id, template_key, name, channel_type, body_template)
    OVERRIDING SYSTEM VALUE
    SELECT n + 1000, %(attacker)s, 'squat-' || n, 'n', 'EMAIL', 'n' FROM generate_series(1, 5000) n
    """,
    # Refer to a victim's workflow, which a committed reference would keep from being deleted.
    """
    INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients)
    VALUES (%(attacker)s, 'n', %(foreign)s, '{r}')
    """,
    # Write what only the worker writes.
    "UPDATE notify.ent_notification SET notification_status = 'SENT'",
    "UPDATE notify.ent_notification SET lease_expires_at = now() + interval '1 year'",
    "INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES (%(victim)s, 0.001)",
    "TRUNCATE notify.ent_notification",
    "DELETE FROM notify.ent_notification",
    "SELECT setval('notify.ent_notification_id_seq', 1)",
    "SET ROLE xnovu_worker",
)

_BY_TENANT: Sequence[str] = (
    # Name another enterprise: a bound login stays in its own.
    "SELECT notify.enqueue(%(victim)s, 'b-plain', '{r}')",
    "SELECT 1 / count(*) FROM notify.my_notifications WHERE enterprise_id <> %(attacker)s",
    "SELECT FROM notify.ent_notification",
    "SELECT FROM notify.tenant_login",
    "INSERT INTO notify.tenant_login (login, enterprise_id) VALUES (session_user, %(victim)s)",
    "UPDATE notify.my_notifications SET name = 'n'",
    "SET ROLE xnovu_producer",
    "SET ROLE xnovu_worker",
    "CREATE FUNCTION notify.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT 1'",
)


def foreign(target: Target, until: float, report: Report) -> None:
    """Try every statement again and again; each must be refused."""
    with login(target.producer) as producer, login(target.tenant, VICTIMS[0]) as tenant:
        for number in repeat(until, 0.05):
            for connection, statements in ((producer, _BY_PRODUCER), (tenant, _BY_TENANT)):
                _try(connection, report, statements[number % len(statements)])


def _try(connection: Connection[TupleRow], report: Report, statement: str) -> None:
    values = {"attacker": ATTACKER, "victim": VICTIMS[0], "foreign": 2}
    connection.execute("BEGIN")
    attempt(report, connection, statement, values)
    connection.execute("ROLLBACK")


ATTACKS = (Attack("ids, rows and columns of others", foreign),)
