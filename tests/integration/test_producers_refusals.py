"""What producers write wrongly: each refusal is a sentence without content, and a row from before the rules goes on."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.migrating import upgrade
from tests.support.rows import Db, a_notification, a_template, a_workflow, open_db, row

CANARY = "canary-of-the-payload"


@pytest.fixture
def owner(any_unchanged_database: str) -> Iterator[Db]:
    """Yield a connection that row-level security does not bound: PostgreSQL prints it whole rows in its errors.

    Everything is rolled back at the end.
    """
    with open_db(any_unchanged_database) as db, db.transaction(force_rollback=True):
        yield db


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"enterprise_id": None}, "enterprise_id is null"),
    ({"enterprise_id": ""}, "enterprise_id does not have 1 to 255 bytes"),
    ({"name": None}, "name is null"),
    ({"name": "n" * 1001}, "name is longer than 1000 characters"),
    ({"payload": Jsonb([CANARY])}, "payload is not a JSON object"),
    ({"payload": Jsonb({"a": "x" * 1_048_576})}, "payload has 1048585 bytes, more than 1048576"),
    ({"overrides": Jsonb([1])}, "overrides is not a JSON object of at most 65536 bytes"),
    ({"overrides": Jsonb({"a": "x" * 65_536})}, "overrides is not a JSON object of at most 65536 bytes"),
    ({"channels": []}, "channels is an empty list"),
    ({"channels": ["EMAIL"] * 6}, "more than five entries"),
    ({"tags": ["t"] * 101}, "tags has more than 100 entries"),
    ({"priority": 17}, "priority is 17"),
    ({"dedup_key": ""}, "dedup_key does not have 1 to 1024 bytes"),
    ({"dedup_key": "k" * 1025}, "dedup_key does not have 1 to 1024 bytes"),
    ({"publish_status": None}, "publish_status is null"),
    ({"recipients": None}, "recipients is null"),
    ({"recipients": []}, "recipients is an empty list"),
    ({"recipients": ["a", None]}, "one of them is null or empty"),
    ({"recipients": ["a", " \t\n"]}, "recipients number 2 is blank"),
    ({"recipients": ["\u200b\u00a0"]}, "recipients number 1 is blank"),
    ({"recipients": ["topic:"]}, "recipients number 1 is a topic without a key"),
    ({"recipients": ["topic: \u3000"]}, "recipients number 1 is a topic without a key"),
    ({"recipients": ['{"subscriberId": "u-9"}']}, "recipients number 1 is JSON or an object as text"),
    ({"recipients": [' [{"id": 1}]']}, "recipients number 1 is JSON or an object as text"),
    ({"recipients": ['"user-1"']}, "recipients number 1 is JSON or an object as text"),
    ({"recipients": ["[object Object]"]}, "recipients number 1 is JSON or an object as text"),
    ({"recipients": ["user-1\nuser-2"]}, "recipients number 1 has a line break"),
    ({"recipients": ["x" * 256]}, "recipients number 1 is longer than 255 bytes"),
    ({"recipients": [f"u-{number}" for number in range(10_001)]}, "recipients has 10001 entries"),
    ({"payload": Jsonb({"xnovu": CANARY})}, "payload has the name xnovu"),
    ({"locale": "German"}, "locale is no language"),
    ({"time_zone": "CET-1"}, "time_zone is no time zone"),
    ({"time_zone": "Mars/Olympus"}, "time_zone is no time zone"),
    ({"time_zone": "Europe/zurich"}, "time_zone is no time zone"),
    ({"time_zone": "Mars/Olympus-3"}, "time_zone is no time zone"),
    ({"time_zone": "MARS/OLYMPUS-3"}, "time_zone is no time zone"),
    ({"actor": "topic:staff"}, "actor is no subscriber id"),
    ({"context": Jsonb({"project": {"name": CANARY}})}, "context is not an object of contexts"),
    ({"context": Jsonb([CANARY])}, "context is not an object of contexts"),
    ({"exclude": []}, "exclude is not a list of 1 to 1000 subscriber ids"),
    ({"exclude": ["topic:staff"]}, "exclude is not a list of 1 to 1000 subscriber ids"),
    ({"subscribers": Jsonb({CANARY: {}})}, "a member that is no profile of a recipient"),
    ({"subscribers": Jsonb({"canary-of-a-recipient": {"mail": CANARY}})}, "a member that is no profile"),
    ({"subscribers": Jsonb({"canary-of-a-recipient": {"email": 1}})}, "a member that is no profile"),
    ({"subscribers": Jsonb([CANARY])}, "a member that is no profile"),
]
IDS = [f"{number}-{next(iter(values))}" for number, (values, _) in enumerate(REFUSED)]


def told(error: psycopg.Error) -> str:
    """Return all that a program may print of an error."""
    return " ".join(filter(None, (str(error), error.diag.message_detail, error.diag.message_hint)))


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=IDS)
def test_a_refused_insert_gets_a_sentence_and_prints_no_row(
    owner: Db, values: dict[str, Any], sentence: str
) -> None:
    """It has a hint, and nothing of the payload or the recipients."""
    given: dict[str, Any] = {
        "payload": Jsonb({"secret": CANARY}),
        "recipients": ["canary-of-a-recipient"],
    } | values

    with pytest.raises(psycopg.IntegrityError) as raised:
        a_notification(owner, **given)

    assert sentence in str(raised.value)
    assert raised.value.diag.message_hint
    assert "canary" not in told(raised.value)
    assert "Failing row" not in told(raised.value)


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=IDS)
def test_a_refused_update_gets_the_same_sentence(owner: Db, values: dict[str, Any], sentence: str) -> None:
    """Before the first claim a producer may still change the row."""
    made = a_notification(owner, payload=Jsonb({"secret": CANARY}))
    (column, value) = next(iter(values.items()))
    if column == "channels":
        value = "{" + ",".join(value) + "}"
    change = sql.SQL("UPDATE notify.ent_notification SET {} = %s WHERE id = %s").format(
        sql.Identifier(column)
    )

    with pytest.raises(psycopg.IntegrityError) as raised:
        owner.execute(change, [value, made])

    assert sentence in str(raised.value)
    assert "canary" not in told(raised.value)


def test_recipients_are_trimmed_and_written_once(owner: Db) -> None:
    """Novu trims them too, so that two spellings would be one person."""
    given = ["user-1", " user-1", "user-1\u00a0\n", "topic: staff ", "\u200bauth0|42", "{9F8B-11}", "a b"]

    made = a_notification(owner, recipients=given)

    assert row(owner, made)["recipients"] == ["user-1", "topic:staff", "auth0|42", "{9F8B-11}", "a b"]


def test_copied_recipients_are_trimmed_too(owner: Db) -> None:
    """COPY and changes of a single entry are ways to write like others."""
    with owner.cursor().copy(
        "COPY notify.ent_notification (enterprise_id, name, recipients) FROM STDIN"
    ) as copy:
        copy.write_row(("acme", "n", ["a ", "a", "b"]))
    found = owner.execute("SELECT id, recipients FROM notify.ent_notification").fetchone()
    assert found is not None
    assert found["recipients"] == ["a", "b"]

    owner.execute("UPDATE notify.ent_notification SET recipients[2] = ' c' WHERE id = %s", [found["id"]])
    assert row(owner, found["id"])["recipients"] == ["a", "c"]


def test_an_administrator_may_allow_an_enterprise_larger_payloads(owner: Db) -> None:
    """Only this enterprise, and up to the bound that its row names."""
    owner.execute("INSERT INTO notify.ent_enterprise (enterprise_id, payload_bytes) VALUES ('acme', 2000000)")
    large = Jsonb({"attachments": [{"file": "A" * 1_500_000}]})

    assert a_notification(owner, payload=large)
    with pytest.raises(psycopg.errors.CheckViolation, match="more than 1048576"), owner.transaction():
        a_notification(owner, enterprise="globex", payload=large)
    with pytest.raises(psycopg.errors.CheckViolation, match="more than 2000000"):
        a_notification(owner, payload=Jsonb({"a": "x" * 2_000_000}))


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("locale", "German", "enterprise: locale is no language"),
        ("time_zone", "Mars/Olympus", "enterprise: time_zone is no time zone"),
    ],
)
def test_an_enterprise_has_a_language_and_a_zone_that_exist(
    owner: Db, column: str, value: str, sentence: str
) -> None:
    """Also when its row changes; else its texts would be in another language, or fail one by one."""
    owner.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, locale, time_zone) VALUES ('acme', 'de-CH', 'UTC')"
    )
    change = sql.SQL("UPDATE notify.ent_enterprise SET {} = %s").format(sql.Identifier(column))

    with pytest.raises(psycopg.errors.CheckViolation, match=sentence) as raised:
        owner.execute(change, [value])

    assert "Failing row" not in told(raised.value)


TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("template", {"body_template": "x" * 262_145}, "body_template is null or longer than 262144 bytes"),
    ("template", {"body_template": None}, "body_template is null or longer than 262144 bytes"),
    (
        "template",
        {"body_template": "x" * 65_537, "channel_type": "SMS"},
        "body_template is null or longer than 65536 characters",
    ),
    ("template", {"locale": "German"}, "locale is no language"),
    ("template", {"format": "markdown"}, "format is neither html nor text"),
    ("template", {"format": "html", "channel_type": "SMS"}, "SMS has no format html"),
    ("template", {"subject_template": "x" * 4_001}, "subject_template is longer than 4000 characters"),
    ("template", {"template_key": ""}, "template_key does not have 1 to 255 bytes"),
    (
        "template",
        {"defaults": Jsonb({"a": "x" * 65_536})},
        "defaults is not a JSON object",
    ),
    ("workflow", {"payload_schema": Jsonb({"a": "x" * 65_536})}, "payload_schema is not a JSON object"),
    ("workflow", {"template_overrides": Jsonb([])}, "template_overrides is not a JSON object"),
    ("workflow", {"workflow_key": None}, "workflow_key does not have 1 to 255 bytes"),
    ("workflow", {"description": "x" * 16_385}, "description is longer than 16384 bytes"),
]


@pytest.mark.parametrize(("kind", "values", "sentence"), TEXTS, ids=[sentence[:40] for *_, sentence in TEXTS])
def test_a_template_or_workflow_that_is_too_large_gets_a_sentence(
    owner: Db, kind: str, values: dict[str, Any], sentence: str
) -> None:
    """A worker holds many of them in memory."""
    with pytest.raises(psycopg.errors.CheckViolation, match=sentence) as raised:
        (a_template if kind == "template" else a_workflow)(owner, **values)

    assert "Failing row" not in told(raised.value)


def test_rows_from_before_the_bounds_go_on(any_empty_database: str) -> None:
    """They are claimed, changed and switched off as before; only a new value must fit."""
    upgrade(any_empty_database, "0002_roles")
    with open_db(any_empty_database) as db:
        large = a_notification(
            db, payload=Jsonb({"a": "x" * 2_000_000}), recipients=["a ", "topic:"], name="n" * 2000
        )
        template = a_template(db, body_template="x" * 200_000)
    upgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        db.execute("UPDATE notify.ent_notification SET priority = 3, name = name WHERE id = %s", [large])
        db.execute(
            "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 1,"
            " lease_expires_at = now(), temporal_workflow_id = 'w' WHERE id = %s",
            [large],
        )
        db.execute("UPDATE notify.ent_notification_template SET deactivated = true WHERE id = %s", [template])
        assert row(db, large)["recipients"] == ["a ", "topic:"]


def test_a_producer_that_names_no_enterprise_is_told_so(producer: Db) -> None:
    """By enqueue and by INSERT; not that a workflow is missing, or a policy refuses."""
    insert = (
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('acme', 'n', '{a}')"
    )
    for statement in ("SELECT notify.enqueue('acme', 'order-shipped', '{a}')", insert):
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege,
            match='enterprise "acme": this session acts for no enterprise',
        ) as raised:
            producer.execute(statement.encode())
        assert "set_config('app.current_enterprise_id'" in str(raised.value.diag.message_hint)
