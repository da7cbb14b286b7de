"""`xnovu templates`: files, and the commands that need no server."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from xnovu_poller.cli.group import xnovu
from xnovu_poller.cli.templates.exchange import _find_path
from xnovu_poller.cli.templates.file import name_file, read_file, write_file
from xnovu_poller.cli.templates.findings import FileInvalid, find, guess_column, show
from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.store.template_rows import TemplateIdentity, TemplateRow

HEAD = '+++\nkey = "welcome"\nchannel = "EMAIL"\n'


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test have a folder of its own, and no database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def run(*words: str, given: str | None = None) -> tuple[int, str]:
    """Run a command in this process; return its exit code and output."""
    ended = CliRunner().invoke(xnovu, ["templates", *words], input=given)
    return ended.exit_code, ended.output


def write(name: str, text: str) -> Path:
    """Write a file."""
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(text.encode())
    return path


def write_template(key: str, body: str, more: str = "", channel: str = "EMAIL") -> Path:
    """Write the file of a template."""
    return write(f"mails/{key}.mako", f'+++\nkey = "{key}"\nchannel = "{channel}"\n{more}+++\n{body}\n')


FULL = TemplateRow(
    "acme",
    "welcome",
    Channel.IN_APP,
    "line\r\n\\\n\n",
    "Wel\"come'\t",
    "de_CH",
    "${a or \"b\"} 'c'\\",
    '{"price": 100.00, "large": 123456789012345678901234567890, "deep": [{"a": [1.50]}]}',
    '{"price": "what it costs"}',
    "html",
    trusted=True,
    publish_status=PublishStatus.PUBLISH,
    deactivated=True,
)


@pytest.mark.parametrize(
    "row",
    [
        FULL,
        TemplateRow(None, "a", Channel.SMS, "", "a"),
        TemplateRow(None, "a", Channel.SMS, "+++\na", "", subject="", defaults='{"a": null, "b": 1.0}'),
    ],
)
def test_a_file_holds_its_template_byte_for_byte(row: TemplateRow) -> None:
    """Numbers keep their digits, and texts their line ends."""
    read = read_file(write("a.mako", write_file(row)))

    assert read.row == row


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("+++\nkey = 1\n", (1, 1), "the front matter is not closed; write a line +++ before the body"),
        ("+++\nkey = \n+++\n", (2, 7), "the front matter is no TOML: Invalid value"),
        ('+++\nkey = "a"\n+++\n', (1, 1), 'the front matter has no channel; write channel = "…"'),
        (HEAD + 'subjekt = "a"\n+++\n', (4, 1), "subjekt is no key; write subject"),
        (HEAD + "trusted = 1\n+++\n", (4, 1), "trusted is neither true nor false; write true or false, without quotes"),
        (HEAD + 'locale = "German"\n+++\n', (4, 1), "locale must be a language such as de or de_CH"),
        (HEAD + 'format = "text"\n+++\n', (4, 1), "EMAIL has no format text; EMAIL is html, IN_APP is html or text, the others are text"),
        (HEAD + "[defaults]\nat = 2030-01-01\n+++\n", (4, 1), "defaults has a value that JSON does not have, such as a date; write it as a text, in quotes"),
        (HEAD + "defaults = '[1]'\n+++\n", (4, 1), "defaults is no object; write a table, or a JSON object as a text"),
        (HEAD + "+++\na\0", (5, 2), "a null character is not allowed; remove it"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_at_its_place(text: str, place: tuple[int, int], reason: str) -> None:
    """The sentence contains what you should write."""
    with pytest.raises(FileInvalid) as refused:
        read_file(write("a.mako", text))

    assert (refused.value.finding.line, refused.value.finding.column) == place
    assert refused.value.finding.reason == reason


def test_a_file_that_is_no_text_is_refused() -> None:
    """Its first wrong byte is shown."""
    Path("a.mako").write_bytes(b"a\nb\xff")

    assert run("lint", "a.mako") == (
        1,
        "a.mako:2:2: error: the file is not UTF-8; save it as UTF-8\n    2 | b\ufffd\n      |  ^\n1 checked, 1 with faults.\n",
    )


def test_faults_are_shown_as_compilers_show_them() -> None:
    """In the subject, in the body, and where the same template is twice."""
    write_template("welcome", "Hello\n\tyou\u4f60 ${name.__class__}", 'subject = "Hi ${a b}"\n')
    write("mails/z.mako", HEAD + "+++\n")

    code, output = run("lint", "mails")

    assert code == 1
    assert output.splitlines() == [
        "mails/z.mako:1:1: error: mails/welcome.mako is the same template; change key, channel, locale or enterprise",
        "    1 | +++",
        "      | ^",
        "mails/welcome.mako:4:17: error: it is not an expression; write a path, a constant or an operation",
        '    4 | subject = "Hi ${a b}"',
        "      |                 ^",
        "mails/welcome.mako:7:14: error: a key that begins with `_` stands in brackets; write ['_key']",
        "    7 |  you\u4f60 ${name.__class__}",
        "      |               ^",
        "2 checked, 2 with faults.",
    ]


def test_a_sound_folder_has_no_fault() -> None:
    """Parts are found among the files; a part that is elsewhere is a warning, and so is another language."""
    write_template("welcome", '<%inherit file="base"/><%block name="a">{{ x }}</%block>')
    write_template("base", '<%block name="a"></%block>')
    found = json.loads(run("lint", "mails", "--json")[1])

    assert run("lint", "mails/base.mako") == (0, "1 checked, 0 with faults.\n")
    assert run("lint", "mails/welcome.mako")[1].endswith("1 checked, 0 with faults, 1 with warnings.\n")
    assert (found["checked"], [each["is_warning"] for each in found["findings"]]) == (2, [True])
    assert run("lint", write("plain.txt", "Hello ${name}").name)[0] == 0


def test_a_part_may_have_only_the_languages_of_its_users() -> None:
    """A layout for any language uses a partial that exists in two; nobody knows in which it is shown."""
    write_template("base", '<%include file="foot"/>')
    write_template("foot", "Gruss", 'locale = "de"\n')

    assert run("lint", "mails") == (0, "2 checked, 0 with faults.\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [(("lint",), 2), (("lint", "nowhere"), 2), (("lint", "--all"), 2), (("render", "a"), 2)],
)
def test_wrong_usage_and_missing_settings_end_with_2(words: tuple[str, ...], code: int) -> None:
    """As with all commands."""
    assert run(*words)[0] == code


PAYLOAD = '{"name": "R&D", "total": 100.00, "at": "2030-01-02T23:30:00Z"}'


def render(*words: str, given: str = PAYLOAD) -> tuple[int, str]:
    """Render `welcome` from files."""
    return run("render", "welcome", "--dir", "mails", "--payload", "-", *words, given=given)


def test_a_template_is_rendered_from_files() -> None:
    """The mail is shown as text, and written as HTML; the language chooses the file."""
    write_template(
        "welcome",
        '<%inherit file="base"/><%block name="a">${name} ${total} ${at | date("long")}</%block>',
        'subject = "For ${name}"\n',
    )
    write_template("base", '<p><%block name="a"></%block> ${enterprise.id}</p>')
    write("mails/de.mako", HEAD + 'locale = "de"\n+++\nHallo ${name}\n')
    write("mails/sms.mako", HEAD.replace("EMAIL", "SMS") + "+++\nSMS ${brand.hue or 'none'}\n")

    code, output = render("--html", "a.html", "--enterprise", "acme", "--time-zone", "Asia/Tokyo")

    assert (code, output) == (
        0,
        "--- EMAIL\nSubject: For R&D\n\nR&D 100.00 January 3, 2030 acme\n--- SMS\nSMS none\n",
    )
    assert Path("a.html").read_text() == "<p>R&amp;D 100.00 January 3, 2030 acme</p>"
    assert render("--locale", "de_CH", "--channel", "email") == (0, "--- EMAIL\nHallo R&D\n")
    assert json.loads(render("--json", "--channel", "SMS")[1])["rendered"] == {
        "SMS": {"subject": None, "body": "SMS none", "text": None}
    }


@pytest.mark.parametrize(
    ("body", "more", "shown"),
    [
        ("a\nb ${nom}", "", "mails/welcome.mako:6:5: error: nom is missing;"),
        ("a", 'subject = "${nom}"\n', "mails/welcome.mako:4:1"),
        ('<%include file="base"/>', "", "mails/base.mako:5:1: error: name cannot"),
        ('<%include file="none"/>', "", "mails/welcome.mako:5:1: error: the layout or partial none is missing"),
    ],
)  # fmt: skip
def test_a_failure_is_shown_at_its_line(body: str, more: str, shown: str) -> None:
    """Also in a partial; the values of the payload are not shown."""
    write_template("welcome", body, more)
    write_template("base", "${name | number}")

    code, output = render()

    assert code == 1
    assert shown.partition(" name cannot")[0] in output
    assert "R&D" not in output


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ('{"a": 1,,}', "<stdin>:1:9: error: the payload is no JSON: "),
        ("[1]", '<stdin>:1:1: error: the payload is no object; write {"name": "value"}'),
        ("[" * 100_000, "<stdin>:1:1: error: the payload is not UTF-8, nested too deep"),
        (r'{"a": ["\ud83d"]}', "<stdin>:1:1: error: the payload is not UTF-8, nested too deep, has half"),
        (r'{"\uDE00": 1}', "<stdin>:1:1: error: the payload is not UTF-8, nested too deep, has half"),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused(payload: str, reason: str) -> None:
    """The place is that in the payload."""
    write_template("welcome", "a")

    code, output = render(given=payload)

    assert (code, output.startswith(reason)) == (1, True)


@pytest.mark.parametrize(("option", "value"), [("--locale", "German"), ("--time-zone", "Mars/Olympus")])
def test_a_language_or_zone_that_does_not_exist_is_refused(option: str, value: str) -> None:
    """It would be taken for another."""
    write_template("welcome", "Hello")

    code, output = render(option, value)

    assert (code, "must be a" in output) == (2, True)


def test_a_chain_of_parts_ends() -> None:
    """As in a worker, which reads no more of them."""
    for number in range(70):
        write_template(f"k{number}", f'<%include file="k{number + 1}"/>')

    code, output = run("lint", "mails/")

    assert code == 1
    assert "mails/k0.mako:5:1: error: it uses more than 64 layouts and partials; use fewer" in output


def test_a_key_without_a_template_is_an_error() -> None:
    """The sentence names the key."""
    write_template("base", "a")

    assert render() == (
        1,
        "Error: template welcome: there is none for this enterprise, channel and language; a draft in the database does not count\n",
    )


def test_a_long_line_is_cut_around_the_place() -> None:
    """A terminal obeys nothing of it, and the mark stands under the place."""
    line = "\x1b\t" + "x" * 300 + "\u4f60HERE" + "y" * 300

    head, shown, mark = show(find("a", f"\n{line}", 2, 304, "why")).splitlines()

    assert head == "a:2:304: error: why"
    assert len(shown) < 120
    assert shown[shown.index("HERE") - 1] == "\u4f60"
    assert len(mark) == shown.index("HERE") + 2
    assert "\x1b" not in show(find("a\x1b", line, 1, 1, "why"))


def test_a_failure_without_a_column_is_guessed() -> None:
    """The missing path, or the first construct."""
    assert guess_column("a ${b} ${c.d}", "c.d is missing; add it") == 10
    assert guess_column("a ${b | upper}", "an object cannot be written") == 3
    assert guess_column("  % for a in b:", "a loop goes through a list") == 3
    assert guess_column("text", "it is longer") == 1


IDENTITY = TemplateIdentity("ac/me", "../a:\u4f60", Channel.IN_APP, "de_CH")


def test_a_file_name_is_safe_on_every_system() -> None:
    """It leads out of no folder, and names that differ in capitals do not overwrite each other."""
    taken: set[str] = set()
    upper = TemplateIdentity(None, "A", Channel.SMS, None)

    assert name_file(IDENTITY) == Path("ac%2Fme/%2E%2E%2Fa%3A\u4f60.in_app.de_CH.mako")
    assert (
        len(name_file(IDENTITY._replace(key="\u4f60" * 85, enterprise_id="\u4f60" * 85)).name.encode()) <= 255
    )
    assert [
        str(_find_path(Path(), identity, {}, taken)) for identity in (upper, upper._replace(key="a"), upper._replace(key="a", enterprise_id=""))
    ] == ["A.sms.mako", "a~2.sms.mako", "a~3.sms.mako"]  # fmt: skip
