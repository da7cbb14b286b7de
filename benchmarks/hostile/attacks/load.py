"""CPU and memory: heavy schemas, heavy templates, heavy payloads, bursts, and thousands of rules."""

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from benchmarks.hostile.attacks.attack import (
    ATTACKER,
    Attack,
    Report,
    Target,
    attempt,
    enqueue,
    login,
    repeat,
)

PATTERNS = (1000, 9900)
TEMPLATES = 400
ITEMS = 66
"""With these a template takes almost all the steps that it may take."""
PAYLOAD_BYTES = (900_000, 50_000_000)
RULES = 20_000
BURST = 2000
BURST_STATEMENTS = 20

_SCHEMA = """
INSERT INTO notify.ent_notification_workflow
    (enterprise_id, workflow_key, name, workflow_type, payload_schema, publish_status)
VALUES (%(enterprise)s, %(key)s, 'n', 'STATIC', %(schema)s, 'PUBLISH')
"""

_DYNAMIC = """
INSERT INTO notify.ent_notification_workflow
    (enterprise_id, workflow_key, name, workflow_type, default_channels, template_overrides, publish_status)
VALUES (%(enterprise)s, %(key)s, 'n', 'DYNAMIC', '{EMAIL,SMS,CHAT,PUSH,IN_APP}',
    jsonb_build_object('EMAIL', %(key)s::text, 'SMS', %(key)s::text, 'CHAT', %(key)s::text,
        'PUSH', %(key)s::text, 'IN_APP', %(key)s::text), 'PUBLISH')
"""

_TEMPLATE = """
INSERT INTO notify.ent_notification_template
    (enterprise_id, template_key, name, channel_type, subject_template, body_template, publish_status)
SELECT %(enterprise)s, %(key)s, 'n', channel, %(subject)s, %(body)s, 'PUBLISH'
FROM unnest(enum_range(NULL::notify.channel_type)) AS channel
"""

_HEAVY = """
SELECT notify.enqueue(%(enterprise)s, 'a-plain', ARRAY[%(recipient)s],
    jsonb_build_object('text', repeat('y', %(bytes)s)))
"""

_BURST = """
SELECT notify.enqueue(%(enterprise)s, 'a-plain', ARRAY[%(enterprise)s || '-burst-' || n], '{"text": "n"}')
FROM generate_series(%(first)s + 1, %(first)s + %(number)s) n
"""

_RULES = """
INSERT INTO notify.ent_notification_rule
    (enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload)
SELECT %(enterprise)s, 'n', workflow.id, 'CRON', jsonb_build_object('cron', n %% 60 || ' * * * *'),
    jsonb_build_object('recipients', jsonb_build_array('r'))
FROM generate_series(1, %(number)s) n, notify.ent_notification_workflow workflow
WHERE workflow.enterprise_id = %(enterprise)s AND workflow.workflow_key = 'a-plain'
"""


def schemas(target: Target, until: float, report: Report) -> None:
    """Publish schemas with very many patterns, and send rows that need them."""
    with login(target.producer) as connection:
        for patterns in PATTERNS:
            key = f"a-schema-{patterns}"
            schema = {
                "type": "object",
                "patternProperties": {f"^k{n}[a-z]{{1,50}}$": {"type": "string"} for n in range(patterns)},
            }
            values = {"enterprise": ATTACKER, "key": key, "schema": Jsonb(schema)}
            if attempt(report, connection, _SCHEMA, values):
                enqueue(report, connection, key, 0)
        for number in repeat(until, 0.1):
            enqueue(report, connection, f"a-schema-{PATTERNS[0]}", number)


def templates(target: Target, until: float, report: Report) -> None:
    """Send rows whose five templates are as heavy as the language allows, changed all the time."""
    body = "% for a in items:\n% for b in items:\n% if a / 3 == b - 1:\nn\n% endif\n% endfor\n% endfor\n"
    values = {"enterprise": ATTACKER, "key": "a-heavy", "body": body, "subject": "n"}
    with login(target.producer) as connection:
        attempt(report, connection, _DYNAMIC, values)
        attempt(report, connection, _TEMPLATE, values)
        for number in repeat(until, 0.005):
            if number < TEMPLATES:
                enqueue(report, connection, "a-heavy", number, items=list(range(ITEMS)))
            if number % 100 == 0:
                attempt(report, connection, "UPDATE notify.ent_notification_template SET name = name || 'n'")


def payloads(target: Target, until: float, report: Report) -> None:
    """Insert rows of many bytes, which compress to almost nothing."""
    with login(target.producer) as connection:
        for number in repeat(until, 0.1):
            for weight in PAYLOAD_BYTES:
                values = {
                    "enterprise": ATTACKER,
                    "recipient": f"{ATTACKER}-{weight}-{number}",
                    "bytes": weight,
                }
                attempt(report, connection, _HEAVY, values)


def burst(target: Target, until: float, report: Report) -> None:
    """Insert thousands of rows at once."""
    with login(target.producer) as connection:
        with connection.transaction():
            number = BURST // BURST_STATEMENTS
            for part in range(BURST_STATEMENTS):
                values = {"enterprise": ATTACKER, "first": part * number, "number": number}
                attempt(report, connection, _BURST, values)
        for _ in repeat(until, 0.1):
            pass


def rules(target: Target, until: float, report: Report) -> None:
    """Insert thousands of paused rules, and change them all the time."""
    with login(target.producer) as connection:
        attempt(report, connection, _RULES, {"enterprise": ATTACKER, "number": RULES})
        for number in repeat(until, 0.1):
            _change_rules(connection, report, number)


def _change_rules(connection: Connection[TupleRow], report: Report, number: int) -> None:
    statement = "UPDATE notify.ent_notification_rule SET name = name || 'n' WHERE id %% 200 = %(part)s"
    attempt(report, connection, statement, {"part": number % 200})


ATTACKS = (
    Attack("schemas of 1,000 and 9,900 patterns", schemas),
    Attack("400 rows with five heavy templates", templates),
    Attack("payloads of 0.9 and 50 MB", payloads),
    Attack("2,000 rows at once", burst),
    Attack("20,000 paused rules, changed all the time", rules),
)
