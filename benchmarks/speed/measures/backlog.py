"""Existing backlogs: inserted without the triggers, so that millions of rows take only a minute."""

import psycopg

from benchmarks.speed import rows
from benchmarks.speed.scene import Scene

ENTERPRISES = 20

# Due rows have a payload of the usual size. SENT rows have none, because only their number matters.
_DUE = """
INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, recipients, payload, transaction_id)
SELECT 'enterprise-' || lpad((number %% %(enterprises)s)::text, 4, '0'), 'order shipped',
    (SELECT min(id) FROM notify.ent_notification_workflow), ARRAY['subscriber-' || number],
    jsonb_build_object('name', 'Customer ' || number, 'order', number, 'carrier', 'by rail',
        'note', rpad('Parcel ' || number || ' ', 527, 'a word or two ')),
    'xn-' || lpad(to_hex(number), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(number), 12, '0')
FROM generate_series(1, %(count)s) AS number"""
_SENT = """
INSERT INTO notify.ent_notification (enterprise_id, name, recipients, notification_status, attempt, processed_at,
    transaction_id, temporal_workflow_id)
SELECT 'enterprise-' || lpad((number %% %(enterprises)s)::text, 4, '0'), 'order shipped', '{subscriber}', 'SENT', 1, now(),
    'xn-' || number, 'sent'
FROM generate_series(1, %(count)s) AS number"""


async def kept(scene: Scene, name: str, *, due: int, sent: int = 0) -> str:
    """Return the URL of a settled database with these rows; create it in the first round, and keep it for the others."""
    server = scene.postgres
    if server.has_database(name):
        url = server.url(name)
    else:
        url = await scene.migrated(server, name)
        rows.prepare(url)
        _write(url, _SENT, sent)
        _write(url, _DUE, due)
    scene.settle(url)
    return url


async def fresh(scene: Scene, name: str, *, due: int, enterprises: int = ENTERPRISES) -> str:
    """Return the URL of a settled database with these due rows; it is removed after the measure."""
    url = await scene.database(name)
    rows.prepare(url)
    _write(url, _DUE, due, enterprises)
    scene.settle(url)
    return url


def _write(url: str, statement: str, count: int, enterprises: int = ENTERPRISES) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement, {"count": count, "enterprises": enterprises})
