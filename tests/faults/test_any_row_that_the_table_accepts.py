"""Producers write all that the table can hold: each row is refused, sent, or ended with a reason, and nothing hangs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from typing_extensions import override

from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_template, a_workflow
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]
Row = dict[str, str | None]
"""A row of a producer, each column as PostgreSQL text."""

EXAMPLES, AT_ONCE = 25, 12

TYPES = {
    "enterprise_id": "text",
    "name": "text",
    "notification_workflow_id": "bigint",
    "payload": "jsonb",
    "recipients": "text[]",
    "channels": "notify.channel_type[]",
    "overrides": "jsonb",
    "tags": "text[]",
    "priority": "smallint",
    "dedup_key": "text",
    "publish_status": "notify.publish_status",
    "deactivated": "boolean",
    "scheduled_for": "timestamptz",
    "expires_at": "timestamptz",
    "locale": "text",
    "time_zone": "text",
    "actor": "text",
    "context": "jsonb",
    "exclude": "text[]",
    "subscribers": "jsonb",
}
INSERT = sql.SQL("INSERT INTO notify.ent_notification ({}) VALUES ({}) RETURNING id").format(
    sql.SQL(", ").join(map(sql.Identifier, TYPES)),
    sql.SQL(", ").join(sql.SQL(f"%s::{kind}") for kind in TYPES.values()),
)

CLASSES_OF_REFUSAL = {"22", "23", "54", "0A"}
"""Data, constraint, limit, and arrays of arrays. Source: PostgreSQL, "Error Codes"."""

OF_THE_ROW_ITSELF = {
    "novu_rejected",
    "template_failed",
    "template_missing",
    "template_unsafe",
    "validation_error",
    "workflow_not_found",
}
"""Why such a row may be DEAD: never because of a bug, nor because an answer is missing."""

PERSON, VALUE = "person-marker", "value-marker"
"""Every recipient and every text of a payload contains one of these."""

HOSTILE = [
    "",
    " ",
    "${payload} <% import os %> {{ payload }} {% raw %}\n% for x in y:\n## not a comment",
    "'; DROP TABLE notify.ent_notification; --",
    "<script>alert(1)</script>&amp;",
    "\u202egnirts\u202c \u200f\u05d0\u0627 \u200b\ufeff\ufffe",
    "\x01\x02\x1b[31m\x7f\x85\u2028\r\n\t",
    "\\ud800 \\u0000 %00 \\x00 \\",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0010ffff",
    "long " * 20_000,
]
texts = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
)
NUMBERS = [
    "-1",
    "-0",
    "1e400",
    "-1.5e400",
    "1e-400",
    "1e131071",
    "0.1e-16000",
    "123456789012345678901234567890",
]
numbers = st.sampled_from(NUMBERS) | st.sampled_from([1, 19, 309, 4300, 4301]).map("9".__mul__)
KEYS = ["", "payload", "enterprise_id", "rendered", "channels", "attachments", "context", "loop", "__class__"]
MOMENTS = [
    None,
    "-infinity",
    "infinity",
    "4713-01-01 BC",
    "1969-12-31",
    "9999-12-31T23:59:59.999999Z",
    "294276-12-31",
    "294277-01-01",
    "0000-00-00",
]


def quoted(text: str) -> str:
    """Return a text as JSON."""
    return json.dumps(VALUE + text)


def nested(depth: int) -> str:
    """Return nested lists as JSON."""
    return "[" * depth + "]" * depth


def object_of(members: Mapping[str, str]) -> str:
    """Return an object as JSON; its values are JSON already."""
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in members.items()) + "}"


def array_of(items: Sequence[str | None]) -> str:
    """Return an array in PostgreSQL's form."""
    escaped = [None if item is None else item.replace("\\", "\\\\").replace('"', '\\"') for item in items]
    return "{" + ",".join("NULL" if item is None else f'"{item}"' for item in escaped) + "}"


def mostly(usual: str | None, *others: str | None) -> st.SearchStrategy[str | None]:
    """Draw the usual value nine times in ten."""
    return st.integers(0, 9).flatmap(lambda drawn: st.sampled_from(others) if drawn == 0 else st.just(usual))


def often(*usual: str | None, odd: Sequence[str]) -> st.SearchStrategy[str | None]:
    """Draw one of the usual values, but for one time in thirty."""
    return st.integers(0, 29).flatmap(lambda drawn: st.sampled_from(odd if drawn == 0 else usual))


scalars = texts.map(quoted) | numbers | st.sampled_from(["null", "true", '"\\u0000"', '"\\ud800"'])
# Python's recursion limit is near a thousand.
depths = (st.sampled_from([20, 200, 600, 3000]) | st.integers(900, 1000)).map(nested)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(texts.map(VALUE.__add__), inner, max_size=3).map(object_of)
    ),
    max_leaves=5,
)
objects = st.dictionaries(st.sampled_from(KEYS) | texts.map(VALUE.__add__), values | depths, max_size=3).map(
    object_of
)
CROWDS: list[list[str | None]] = [
    [f"topic:{PERSON}", "topic:"],
    [f"{PERSON}{number % 150}" for number in range(260)],
    [PERSON, None],
    [""],
    [],
]
people = st.lists(texts.map(PERSON.__add__), min_size=1, max_size=4).map(array_of) | st.sampled_from(
    CROWDS
).map(array_of)
ODD_ARRAYS = ["{{a,b},{c,d}}", "[5:6]={a,b}", "{NULL}", "{}"]
TOO_LONG = "".join(hashlib.sha512(str(number).encode()).hexdigest() for number in range(100))


def rows(workflows: Sequence[str]) -> st.SearchStrategy[Row]:
    """Draw rows; most of their columns are valid."""
    return st.fixed_dictionaries(
        {
            "enterprise_id": st.sampled_from(["acme", "globex", "x" * 255, "\u00e9" * 127]) | texts,
            "name": texts,
            "notification_workflow_id": st.sampled_from(workflows)
            | mostly(workflows[0], None, "0", "-1", str(2**62), str(2**63)),
            "payload": objects | mostly("{}", "null", "[]", "3", "{", None),
            "recipients": people | mostly(array_of([PERSON]), None, *ODD_ARRAYS),
            "channels": mostly(
                None, "{EMAIL,EMAIL}", "{SMS,PUSH,CHAT,IN_APP}", "{}", "{NULL}", "{NOPE}", "{{SMS},{SMS}}"
            ),
            "overrides": st.none() | objects | mostly(None, "[]", "null", '{"email":{"to":[]}}'),
            "tags": mostly(None, *ODD_ARRAYS),
            "priority": mostly("0", "9", "-1", "10", "-32768", "32768"),
            "dedup_key": mostly(None, "", "same", TOO_LONG),
            "publish_status": mostly("PUBLISH", "PUBLISH", "DRAFT", "NOPE"),
            "deactivated": mostly("false", "false", "true"),
            "scheduled_for": mostly(None, *MOMENTS),
            "expires_at": mostly(None, *MOMENTS),
            "locale": often(None, "de_CH", "zh-Hant-TW", "xx", odd=["German", ""]),
            "time_zone": often(None, "Europe/Zurich", odd=["CET-1", "Mars/Olympus", ""]),
            "actor": often(None, PERSON, f" {PERSON}\u200b", odd=["topic:a", ""]),
            "context": often(
                None, '{"a":"b","c":{"id":"d","data":{"n":1.10}}}', "{}", odd=['{"a":{}}', "[]"]
            ),
            "exclude": often(None, array_of([PERSON]), odd=ODD_ARRAYS),
            "subscribers": often(None, "{}", odd=['{"nobody":{}}', "[]", "null"]),
        }
    )


GIANTS: list[Row] = [
    {"payload": object_of({"note": quoted("n" * 10_000_000)})},
    {"payload": object_of({"attachments": quoted("a" * 10_000_000)})},
    {"recipients": array_of([f"{PERSON}-{number}" for number in range(20_000)])},
    {"recipients": array_of([PERSON + "r" * 1_000_000])},
    {"overrides": object_of({"email": quoted("o" * 1_000_000)})},
    {"subscribers": object_of({PERSON: object_of({"avatar": quoted("a" * 2_000_000)})})},
]


def insert(db: Db, row: Row) -> int | None:
    """Insert a row; return its id, or None if PostgreSQL refuses it with a proper message."""
    try:
        with db.transaction():
            made = db.execute(INSERT, [row[name] for name in TYPES]).fetchone()
    except psycopg.Error as error:
        refusal = error
    else:
        assert made is not None
        return int(made["id"])
    assert (refusal.sqlstate or "")[:2] in CLASSES_OF_REFUSAL, refusal
    assert refusal.diag.message_primary
    return None


def workflows_of(db: Db) -> list[str]:
    """Insert workflows of every kind, the plainest first; return their ids."""
    a_template(
        db,
        subject_template="${title}",
        body_template="${payload} ${k}",
        defaults={"title": "none", "k": ""},
    )
    dynamic: dict[str, Any] = {
        "workflow_type": "DYNAMIC",
        "default_channels": "{EMAIL}",
        "template_overrides": {"EMAIL": "parcel"},
    }
    schema = {"properties": {"payload": {"type": ["object", "string"]}}, "maxProperties": 2}
    return [
        str(made)
        for made in (
            a_workflow(db),
            a_workflow(db, key="dynamic", **dynamic),
            a_workflow(db, key="checked", payload_schema=schema),
            a_workflow(db, key="draft", publish_status="DRAFT"),
        )
    ]


def fill_in(row: Row, workflow: str) -> Row:
    """Return the row with defaults for the columns that it leaves out."""
    usual: Row = {
        "enterprise_id": "acme",
        "name": "giant",
        "notification_workflow_id": workflow,
        "payload": "{}",
        "recipients": array_of([PERSON]),
        "priority": "0",
        "publish_status": "PUBLISH",
        "deactivated": "false",
    }
    return dict.fromkeys(TYPES) | usual | row


def assert_quiet(worker: WorkerProgram) -> None:
    """Assert that the log has no bug, no failed turn, and nothing of the content."""
    log = worker.log.read_text()
    for words in ("has a bug", "turn failed", "Traceback", PERSON, VALUE):
        assert words not in log, [line for line in log.splitlines() if words in line][:3]


@only("group", because="neighbours make it harder for each row")
def test_each_row_is_refused_or_ends(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A row is SENT, DEAD with its own reason, RETRACTED as expired, or not due; the worker's log stays clean."""
    workflows = workflows_of(db)
    made: dict[int, Row] = {}

    @settings(
        derandomize=True,
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(rows(workflows), min_size=AT_ONCE, max_size=AT_ONCE))
    def insert_all(batch: list[Row]) -> None:
        with db.transaction():
            for row in batch:
                if id_ := insert(db, row):
                    made[id_] = row

    with running_worker(tmp_path, **worker_environment, MAX_FAILURES="1") as worker:
        for giant in GIANTS:
            row = fill_in(giant, workflows[0])
            assert insert(db, row) is None
        insert_all()
        expired = fill_in({"expires_at": "1969-12-31"}, workflows[0])
        if id_ := insert(db, expired):
            made[id_] = expired
        until_settled(db)
        assert_quiet(worker)
        assert worker.stop() == 0

    assert len(made) > EXAMPLES * AT_ONCE / 8
    assert_ended(db, made)
    with closing(_Bodiless(novu_standin.url)) as ledger:
        assert_kept(db, ledger)


class _Bodiless(NovuStandIn):
    """Reads the ledger without the bodies, which Python may be unable to parse."""

    @override
    def ledger(self, **filters: str) -> dict[str, Any]:
        return super().ledger(bodies="no", **filters)


def assert_ended(db: Db, made: Mapping[int, Row]) -> None:
    """Compare the end of each row with its content."""
    found = db.execute(
        "SELECT id, notification_status::text AS status, failure_count, lapses, retraction_reason, error_details"
        " FROM notify.ent_notification"
    ).fetchall()
    odd = [kept for kept in found if not _is_ended(kept)]
    assert not odd, [(kept, str(made[kept["id"]])[:2000]) for kept in odd[:3]]
    assert {kept["id"] for kept in found} == made.keys()
    assert {"SENT", "DEAD", "RETRACTED", "PENDING"} == {kept["status"] for kept in found}


def _is_ended(kept: dict[str, Any]) -> bool:
    unharmed = (kept["failure_count"], kept["lapses"]) == (0, 0)
    match kept["status"]:
        case "SENT" | "PENDING":
            return unharmed and kept["error_details"] is None
        case "DEAD":
            details = kept["error_details"]
            return unharmed and bool(details["message"]) and details["code"] in OF_THE_ROW_ITSELF
        case "RETRACTED":
            return unharmed and bool(kept["retraction_reason"] == "expired")
        case _:
            return False
