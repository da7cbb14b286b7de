"""`xnovu templates`: the commands that need the database."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.rows import Db, a_notification, a_template, a_workflow
from xnovu_poller.cli.group import xnovu


@pytest.fixture(autouse=True)
def _in_this_database(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the commands to the test's database, and to a folder of their own."""
    monkeypatch.delenv("NOVU_SECRET_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.chdir(tmp_path)


def run(*words: str, given: str | None = None) -> tuple[int, str]:
    """Run a command in this process; return its exit code and output."""
    ended = CliRunner().invoke(xnovu, ["templates", *words], input=given)
    return ended.exit_code, ended.output


def test_templates_move_to_files_and_back(db: Db) -> None:
    """Neither direction writes a template that is the same; a file keeps its name, and drafts stay drafts."""
    a_template(db, key="welcome", subject_template="Hi ${name}", body_template="Hello", defaults={"price": 1})
    a_template(
        db, key="welcome", locale="de", body_template="Hallo\n", publish_status="DRAFT", enterprise="acme"
    )

    assert run("export", "mails", "--dry-run")[1].endswith("2 created, 0 changed, 0 same.\n")
    assert not Path("mails").exists()
    assert run("export", "mails") == (
        0,
        "created  mails/welcome.email.mako\ncreated  mails/acme/welcome.email.de.mako\n2 created, 0 changed, 0 same.\n",
    )
    assert Path("mails/welcome.email.mako").read_text() == (
        '+++\nkey = "welcome"\nchannel = "EMAIL"\nsubject = "Hi ${name}"\npublish_status = "PUBLISH"\n'
        "\n[defaults]\nprice = 1\n+++\nHello\n"
    )
    assert run("import", "mails") == (0, "0 created, 0 changed, 2 same.\n")

    renamed = Path("mails/welcome.email.mako").rename("mails/first.mako")
    renamed.write_text(renamed.read_text().replace("Hello", "Good day"))
    assert run("import", "mails", "--dry-run")[1].startswith("changed  mails/first.mako\n")
    assert run("export", "mails")[1].startswith("changed  mails/first.mako\n")
    renamed.write_text(renamed.read_text().replace("Hello", "Good day"))
    assert json.loads(run("import", "mails", "--json")[1]) == {
        "templates": {"mails/acme/welcome.email.de.mako": "same", "mails/first.mako": "changed"},
        "created": 0,
        "changed": 1,
        "same": 1,
    }
    found = db.execute("SELECT body_template FROM notify.ent_notification_template ORDER BY id").fetchall()
    assert [row["body_template"] for row in found] == ["Good day", "Hallo\n"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '+++\nkey = "a"\nchannel = "SMS"\n+++\n${a b}\n',
            "mails/b.mako:5:3: error: it is not an expression",
        ),
        ("Hello", "mails/b.mako:1:1: error: the front matter is missing"),
        (
            f'+++\nkey = "{"k" * 256}"\nchannel = "SMS"\n+++\n',
            "mails/b.mako:1:1: error: template: template_key does not",
        ),
    ],
)
def test_a_fault_keeps_all_files_from_being_imported(db: Db, text: str, expected: str) -> None:
    """The fault is that of a file, of its template, or of the table."""
    Path("mails").mkdir()
    Path("mails/a.mako").write_text('+++\nkey = "b"\nchannel = "SMS"\n+++\nHello\n')
    Path("mails/b.mako").write_text(text)

    code, output = run("import", "mails")

    assert (code, output.startswith(expected)) == (1, True), output
    assert db.execute("SELECT FROM notify.ent_notification_template").fetchall() == []


def test_published_templates_are_checked(db: Db) -> None:
    """Drafts are not; a part that is not published is missing."""
    a_template(db, key="draft", body_template="${a b}", publish_status="DRAFT")
    a_template(db, key="welcome", body_template='<%include file="draft"/>', subject_template="${a")
    a_template(db, enterprise="acme", key="sound", body_template="${a}", locale="de")
    large = a_template(db, key="large")
    db.execute(
        "UPDATE notify.ent_notification_template SET defaults = %s WHERE id = %s",
        [f'{{"n": 1{"0" * 5000}}}', large],
    )

    code, output = run("lint", "--all")

    assert code == 1
    assert [line for line in output.splitlines() if "error" in line or "checked" in line] == [
        "large.email.mako:1:1: error: its defaults are nested too deep, or a number in them is too long; write them shorter",
        "welcome.email.mako:1:3: error: subject: the expression is not closed; add what closes it",
        "welcome.email.mako:1:17: error: the layout or partial draft is missing; publish a template of this key and channel",
        "3 checked, 2 with faults.",
    ]


def rendered(*words: str, payload: Any) -> tuple[int, str]:  # noqa: ANN401 - JSON
    """Render `welcome` with a payload."""
    return run("render", "welcome", "--payload", "-", *words, given=json.dumps(payload))


def test_a_template_of_the_database_is_rendered(db: Db) -> None:
    """As its enterprise sees it, in its language, with its brand."""
    db.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, locale, brand) VALUES ('acme', 'de_CH', '{\"hue\": \"red\"}')"
    )
    a_template(db, key="welcome", body_template="<p>Hello ${name}</p>")
    a_template(db, key="welcome", body_template='<%include file="foot"/> ${name} ${brand.hue}', locale="de")
    a_template(db, enterprise="acme", key="foot", body_template="own")
    a_template(db, key="foot", body_template="global")

    assert rendered("--enterprise", "acme", payload={"name": "R&D"}) == (0, "--- EMAIL\nown R&D red\n")
    assert rendered(payload={"name": "R&D"}) == (0, "--- EMAIL\nHello R&D\n")
    assert rendered("--enterprise", "globex", "--locale", "de", payload={"name": 1})[1].startswith(
        "welcome.email.de.mako:1:35: error: brand.hue is missing;"
    )


def a_version(name: str, body: str, more: str = "") -> str:
    """Write a version of a template to a file."""
    Path(name).write_text(f'+++\nkey = "{Path(name).stem}"\nchannel = "EMAIL"\n{more}+++\n{body}\n')
    return name


OLD = "Hello\n${name}, ${secret or 'none'}\n"
NEW = "Hello\n${name}, ${'secret' if secret else 'none'}\n% if note:\n${note.a}\n% endif\n"


def test_a_version_is_tried_with_real_payloads(db: Db) -> None:
    """Neither payloads nor texts are shown; a notification that does not use the version does not count."""
    workflow = a_workflow(db, template_overrides={"EMAIL": "welcome"}, default_channels=["EMAIL"])
    a_template(db, key="welcome", body_template=OLD)
    a_template(db, key="welcome", body_template="Own ${name}", enterprise="globex")
    payloads: list[dict[str, object]] = [
        {"name": "Ada"},
        {"name": "Ada", "secret": "hidden"},
        {"name": "Ada", "note": {"b": "hidden"}},
        {"name": "Ada", "secret": ["hidden"]},
        {"secret": "hidden"},
        {"name": "x" * 262_144},
    ]
    same, different, failing, repaired, nameless, large = (
        a_notification(db, workflow=workflow, payload=payload) for payload in payloads
    )
    a_notification(db, workflow=workflow, enterprise="globex", payload={"name": "Ada"})
    version = a_version("welcome.mako", NEW)

    code, output = run("try", "welcome", version)
    found = json.loads(run("try", "welcome", version, "--json")[1])

    assert code == 1
    assert output.splitlines() == [
        "welcome.mako:8:3: error: note.a is missing; add it to the payload or the defaults, or write `or '…'`",
        "    8 | ${note.a}",
        "      |   ^",
        f"      = notification {failing}",
        f"Another text: notification {different} (body 2:6)",
        f"Fails only with the published version: notification {repaired}",
        f"Fails with both versions: notification {nameless}",
        f"Not tried, because the payload is too large or cannot be read: notification {large}",
        "5 tried: 1 would newly fail, 1 would get another text, 1 the same.",
    ]
    assert (found["same"], found["different"]) == ([same], {str(different): "body 2:6"})
    assert [(each["line"], each["ids"]) for each in found["failing"]] == [(8, [failing])]
    assert "hidden" not in json.dumps(found)


def test_a_layout_is_tried_with_the_templates_that_use_it(db: Db) -> None:
    """In the language of each notification, at any depth, also by its subject; a new template repairs what fails without it."""
    workflow = a_workflow(db, template_overrides={"EMAIL": "welcome"}, default_channels=["EMAIL"])
    a_template(db, key="welcome", body_template='<%include file="middle"/>')
    a_template(db, key="welcome", enterprise="globex")
    a_template(db, key="middle", body_template='<%include file="foot"/>')
    a_template(db, key="foot", body_template="Bye", locale="de")
    german, english = (a_notification(db, workflow=workflow, locale=locale) for locale in ("de_CH", "en"))

    found = json.loads(run("try", "foot", a_version("foot.mako", "Ciao", 'locale = "de"\n'), "--json")[1])
    assert (found["different"], found["same"]) == ({str(german): "body 1:1"}, [])
    found = json.loads(run("try", "foot", a_version("foot.mako", "Bye"), "--json")[1])
    assert (found["repaired"], found["same"]) == ([english], [])

    db.execute(
        "UPDATE notify.ent_notification_template SET body_template = 'Hi', subject_template = body_template WHERE body_template ~ 'middle'"
    )
    found = json.loads(run("try", "foot", a_version("foot.mako", "Ciao", 'locale = "de"\n'), "--json")[1])
    assert found["different"] == {str(german): "subject 1:1"}


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("welcome.mako", "${a b}", "welcome.mako:5:3: error: it is not an expression"),
        (
            "welcome.mako",
            '<%include file="none"/>',
            "welcome.mako:5:17: error: the layout or partial none is missing;",
        ),
        (
            "other.mako",
            "Hello",
            "other.mako:1:1: error: the key is other, not welcome; name the same key in both places",
        ),
    ],
)
@pytest.mark.usefixtures("db")
def test_a_version_with_a_fault_is_not_tried(name: str, body: str, expected: str) -> None:
    """The fault is shown as `lint` shows it."""
    code, output = run("try", "welcome", a_version(name, body))

    assert (code, output.startswith(expected), "tried" in output) == (1, True, False), output
