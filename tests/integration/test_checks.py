"""What is wrong with a published template or workflow stands in its row before a notification needs it."""

from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from tests.support.delivering import ENGLISH
from tests.support.rows import Db, a_template, a_workflow
from tests.support.syncing import a_dynamic
from tests.support.waiting import eventually
from xnovu_poller.checks.checker import Checker
from xnovu_poller.lifecycle import RowKind
from xnovu_poller.store import checks
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.row_checks import ROWS_OF_A_TURN, UNFINISHED, begin

MANY_TEMPLATES = (
    "INSERT INTO notify.ent_notification_template (enterprise_id, name, template_key, channel_type, body_template,"
    " publish_status) SELECT 'acme', 'n', 'key-' || n, 'SMS', 'text', 'PUBLISH' FROM generate_series(1, %s) AS n"
)
SET_BODY = "UPDATE notify.ent_notification_template SET body_template = %s WHERE id = %s"
DEACTIVATE = "UPDATE notify.ent_notification_template SET deactivated = true WHERE id = %s"
ROWS: dict[RowKind, LiteralString] = {
    RowKind.TEMPLATE: "SELECT * FROM notify.ent_notification_template WHERE id = %s",
    RowKind.WORKFLOW: "SELECT * FROM notify.ent_notification_workflow WHERE id = %s",
}


def read(db: Db, kind: RowKind, id_: int) -> dict[str, Any]:
    """Return a row."""
    found = db.execute(ROWS[kind], [id_]).fetchone()
    assert found is not None
    return dict(found)


def result(db: Db, kind: RowKind, id_: int) -> tuple[str | None, str | None]:
    """Return the status and the sentence of a row."""
    found = read(db, kind, id_)
    return found["checked_status"], found["checked_error"]


@pytest.fixture
def checker(engine: Engine) -> Checker:
    """What checks rows, run after run."""
    return Checker(engine, ENGLISH)


async def test_a_template_shows_what_is_wrong_with_it(checker: Checker, engine: Engine, db: Db) -> None:
    """At its line and column, or in what it uses; drafts are not checked, and a check is no change of the row."""
    written: dict[str, dict[str, Any]] = {
        "fine": {"body_template": "Dear ${name}", "subject_template": "Hello"},
        "unsafe": {"body_template": "a\n${name.upper()}"},
        "foreign": {"body_template": "{{ name }} {% x %}"},
        "layout": {"body_template": '<%inherit file="base"/>'},
        "foot": {"body_template": "\n${", "enterprise": "acme"},
        "includes": {"body_template": '<%include file="foot"/>', "enterprise": "acme"},
        "subject": {"subject_template": "${x y}"},
        "language": {"locale": "xx_YY"},
    }
    ids = {key: a_template(db, key=key, **columns) for key, columns in written.items()}
    draft = a_template(db, key="draft", body_template="${", publish_status="DRAFT")
    versions = {key: read(db, RowKind.TEMPLATE, id_)["updated_at"] for key, id_ in ids.items()}

    report = await checker.run({})

    found = {key: result(db, RowKind.TEMPLATE, id_) for key, id_ in ids.items()}
    assert {key: status for key, (status, _) in found.items()} == {
        "fine": "OK",
        "unsafe": "ERROR",
        "foreign": "WARNING",
        "layout": "ERROR",
        "foot": "ERROR",
        "includes": "ERROR",
        "subject": "ERROR",
        "language": "ERROR",
    }
    sentences = {key: sentence or "" for key, (_, sentence) in found.items()}
    assert sentences["unsafe"].startswith("body: line 2, column 3: upper() is not allowed")
    assert sentences["foreign"].startswith("body: line 1, column 1: `{{…}}` is no value here")
    assert sentences["foreign"].endswith("(and 1 more)")
    assert sentences["language"] == "locale: xx_YY must be a language such as de or de_CH"
    assert sentences["layout"].startswith("body: line 1, column 17: the layout or partial base is missing")
    assert sentences["includes"].startswith("layout or partial foot: line 2, column 3: ")
    assert sentences["subject"].startswith("subject: line 1, column 3: ")
    assert not sentences["fine"]
    assert result(db, RowKind.TEMPLATE, draft) == (None, None)
    assert versions == {key: read(db, RowKind.TEMPLATE, id_)["updated_at"] for key, id_ in ids.items()}
    assert report["errors"] == {"template": 6, "workflow": 0}
    (finding,) = [each for each in await checks.examine(engine) if each.code == "rows_faulty"]
    named = ", ".join(str(ids[key]) for key in ids if found[key][0] == "ERROR")
    assert finding.sentence.startswith("checks: published rows have an error, so notifications end DEAD; see")
    assert finding.sentence.endswith(f" of templates (6): {named.rpartition(', ')[0]}, …")


async def test_a_schema_that_killed_its_checker_is_not_checked_again(
    checker: Checker, engine: Engine, db: Db
) -> None:
    """Else it would kill each process that checks it; the row shows it until it changes."""
    schema = psycopg.types.json.Jsonb({"title": "deadly"})
    deadly = a_workflow(db, key="deadly", payload_schema=schema)
    await begin(engine, deadly)  # and the process dies here

    for _ in range(2):
        await checker.run({})
        assert result(db, RowKind.WORKFLOW, deadly) == ("ERROR", UNFINISHED)

    db.execute("UPDATE notify.ent_notification_workflow SET payload_schema = '{}' WHERE id = %s", [deadly])
    await checker.run({})
    assert result(db, RowKind.WORKFLOW, deadly) == ("OK", None)


async def test_a_workflow_shows_what_is_wrong_with_it(checker: Checker, db: Db) -> None:
    """A schema that cannot be used, a channel without a template, and a name that is no channel."""
    a_template(db, key="hello", enterprise="acme")
    a_template(db, key="hallo", enterprise="acme", locale="de")
    db.execute("INSERT INTO notify.ent_enterprise (enterprise_id, locale) VALUES ('german', 'de_CH')")
    a_template(db, key="hallo", enterprise="german", locale="de")
    db.execute("INSERT INTO notify.ent_enterprise (enterprise_id, locale) VALUES ('lost', 'xx_YY')")
    a_template(db, key="hello", enterprise="lost")
    looks_ahead = {"properties": {"a": {"pattern": "(?=x)"}}}
    harmless = {"$id": "order", "properties": {"a": {"enum": [{"$ref": "x"}], "default": {"$ref": 1}}}}
    ids = {
        "fine": a_dynamic(db, "fine", enterprise="acme", template_overrides='{"EMAIL": "hello"}'),
        "schema": a_workflow(db, key="schema", payload_schema=psycopg.types.json.Jsonb(looks_ahead)),
        "data": a_workflow(db, key="data", payload_schema=psycopg.types.json.Jsonb(harmless)),
        "none": a_dynamic(db, "none", "SMS", enterprise="acme"),
        "absent": a_dynamic(db, "absent", enterprise="acme", template_overrides='{"EMAIL": "nothing"}'),
        "other language": a_dynamic(db, "a", enterprise="acme", template_overrides='{"EMAIL": "hallo"}'),
        "its language": a_dynamic(db, "b", enterprise="german", template_overrides='{"EMAIL": "hallo"}'),
        "unknown language": a_dynamic(db, "e", enterprise="lost", template_overrides='{"EMAIL": "hello"}'),
        "others' template": a_dynamic(db, "c", enterprise="globex", template_overrides='{"EMAIL": "hello"}'),
        "for all": a_dynamic(db, "d", template_overrides='{"EMAIL": "hello"}'),
        "static": a_workflow(db, key="static", template_overrides='{"mail": "x"}'),
    }

    await checker.run({})

    found = {name: result(db, RowKind.WORKFLOW, id_) for name, id_ in ids.items()}
    absent = "template_overrides: there is no published template {!r} for EMAIL in en, or for any language; publish one"
    assert found == {
        "fine": ("OK", None),
        "data": ("OK", None),
        "schema": (
            "ERROR",
            (
                "payload_schema is not a JSON Schema that can be checked: pattern '(?=x)': look-ahead and look-behind are not"
                " supported, at '/properties/a/pattern'"
            ),
        ),
        "none": ("ERROR", 'template_overrides: SMS has no template; write {"SMS": "its template_key"}'),
        "absent": ("ERROR", absent.format("nothing")),
        "other language": ("ERROR", absent.format("hallo")),
        "its language": ("OK", None),
        "unknown language": ("ERROR", "locale: xx_YY must be a language such as de or de_CH"),
        "others' template": ("ERROR", absent.format("hello")),
        "for all": (
            "WARNING",
            (
                "template_overrides: there is no published global template 'hello' for EMAIL in en, or for any language;"
                " publish one, unless each enterprise has its own"
            ),
        ),
        "static": (
            "WARNING",
            "template_overrides: 'mail' is no channel; the channels are IN_APP, EMAIL, SMS, CHAT, PUSH",
        ),
    }


async def test_a_change_is_checked_in_the_next_run_and_what_depends_on_it_too(
    checker: Checker, db: Db
) -> None:
    """What was found is forgotten with the change, so no row shows the result of another text."""
    workflow = a_dynamic(db, enterprise="acme", template_overrides='{"EMAIL": "hello"}')
    template = a_template(db, key="hello", enterprise="acme", body_template='<%include file="foot"/>')
    after = (await checker.run({}, pause=timedelta(0)))["after"]
    assert (result(db, RowKind.TEMPLATE, template)[0], result(db, RowKind.WORKFLOW, workflow)[0]) == (
        "ERROR",
        "OK",
    )

    part = a_template(db, key="foot", enterprise="acme")
    after = (await checker.run(after, pause=timedelta(0)))["after"]
    assert result(db, RowKind.TEMPLATE, template) == ("OK", None)

    db.execute(SET_BODY, ["${", part])
    assert result(db, RowKind.TEMPLATE, part) == (None, None)
    db.execute(DEACTIVATE, [template])
    await checker.run(after, pause=timedelta(0))
    assert result(db, RowKind.TEMPLATE, part)[0] == "ERROR"
    assert result(db, RowKind.WORKFLOW, workflow)[0] == "ERROR"
    assert result(db, RowKind.TEMPLATE, template) == (None, None)


async def test_rows_without_a_change_are_checked_by_and_by(checker: Checker, engine: Engine, db: Db) -> None:
    """A run has a bound, and the next goes on where it stopped; soon after, a run looks only at changed rows."""
    many = 2 * ROWS_OF_A_TURN + 1
    db.execute(MANY_TEMPLATES, [many])
    report = await checker.run({}, pause=timedelta(0))
    assert (report["checked"], report["after"]["template"] > 0) == (many + ROWS_OF_A_TURN, True)

    async def rests() -> bool:
        rested = Checker(engine, ENGLISH)
        again = await rested.run(report["after"], pause=timedelta(hours=1))
        assert (again["checked"], again["after"]["template"] > report["after"]["template"]) == (
            ROWS_OF_A_TURN,
            True,
        )
        # The rest lasts nine times as long as the check of the rows: if the machine pauses just then, it is over.
        nothing = await rested.run(again["after"])
        return (nothing["checked"], nothing["after"]) == (0, again["after"])

    await eventually(rests)


async def test_a_budget_ends_a_run(checker: Checker, db: Db) -> None:
    """It checks at least one template, and leaves the others to the next run."""
    db.execute(MANY_TEMPLATES, [10])

    await checker.run({}, budget=timedelta(0))

    checked = db.execute("SELECT FROM notify.ent_notification_template WHERE checked_status = 'OK'")
    assert checked.rowcount == 1
