"""`xnovu templates render`: show the text that a template makes of a payload."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from xnovu_poller.cli.connect import database
from xnovu_poller.cli.output import escape_for_terminal, json_option
from xnovu_poller.cli.templates.file import TemplateFile, from_row
from xnovu_poller.cli.templates.findings import FileInvalid, Finding, find, guess_column, print_findings
from xnovu_poller.cli.templates.folder import Chosen, Shelf, Wanted, choose, read_folder, shelve, to_source
from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.settings import load_language
from xnovu_poller.settings.languages import check_locale, check_time_zone, choose_locale
from xnovu_poller.store.enterprises import Enterprise, read_enterprises
from xnovu_poller.store.template_rows import read_rows
from xnovu_poller.store.templates import fallbacks
from xnovu_poller.templates.attempt import Failure, attempt
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer
from xnovu_poller.templates.variables import Occasion, list_variables, read_json

CHANNEL = click.Choice([channel.value for channel in Channel], case_sensitive=False)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def check_option(check: Callable[[str], str]) -> Callable[[object, object, str | None], str | None]:
    """Return the callback of an option whose value a validator of settings checks."""

    def read(_ctx: object, _option: object, value: str | None) -> str | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return read


@dataclass(frozen=True, slots=True)
class Scene:
    """For whom a template is rendered, and the templates among which it is chosen."""

    key: str
    shelf: Shelf
    enterprise: Enterprise
    language: Language
    channels: Sequence[Channel]


@click.command
@click.argument("key")
@click.option(
    "--payload", type=click.File(encoding="utf-8"), help="A JSON file with the payload; - is standard input."
)
@click.option("--channel", type=CHANNEL, help="Render only for this channel.")
@click.option(
    "--locale",
    callback=check_option(check_locale),
    help="The language, such as de_CH; otherwise that of the enterprise, or DEFAULT_LOCALE.",
)
@click.option(
    "--time-zone",
    callback=check_option(check_time_zone),
    help="The zone, such as Europe/Zurich; otherwise that of the enterprise, or DEFAULT_TIME_ZONE.",
)
@click.option("--enterprise", default="", help="For whom: its own templates come before global templates.")
@click.option(
    "--dir",
    "folder",
    type=FOLDER,
    help="Take the templates from the files of this folder, not from the database.",
)
@click.option(
    "--html",
    type=click.File("w", encoding="utf-8", lazy=True),
    help="Write the HTML of the mail to this file.",
)
@json_option
@click.pass_context
def render(
    ctx: click.Context,
    /,
    key: str,
    payload: IO[str] | None,
    html: IO[str] | None,
    **options: Any,  # noqa: ANN401 - what `_build_scene` takes
) -> None:
    """Render the templates of a key with a payload.

    Without --channel each channel is shown for which the key has a template; of a mail, its text without HTML. Names of
    the payload come before all others, so it can also give `brand` or `fired_at`. If a template fails, its line is shown,
    and the exit code is 1.

    \b
    Examples:
        xnovu templates render welcome --payload payload.json --enterprise acme --locale de
        xnovu templates render welcome --payload payload.json --dir templates/ --html welcome.html
    """  # noqa: D301 - Click reads the backspace as "do not wrap this paragraph"
    as_json = options.pop("as_json")
    try:
        values = {} if payload is None else _read_payload(payload)
        scene = _build_scene(key, **options)
    except FileInvalid as invalid:
        print_findings([invalid.finding], as_json=as_json)
        ctx.exit(1)
    rendered, findings = _render_all(scene, values)
    if html is not None and Channel.EMAIL in rendered:
        html.write(rendered[Channel.EMAIL].body)
    if as_json:
        print_findings(
            findings, as_json=True, rendered={name: asdict(each) for name, each in rendered.items()}
        )
    else:
        _print(rendered)
        print_findings(findings, as_json=False)
    if findings:
        ctx.exit(1)


def _read_payload(file: IO[str]) -> dict[str, Any]:
    """Return the payload of a file.

    Raises:
        FileInvalid: it is no JSON object.
    """
    text = ""
    try:
        text = file.read()
        values = read_json(text)
    except json.JSONDecodeError as error:
        reason = f"the payload is no JSON: {error.msg}"
        raise FileInvalid(find(file.name, text, error.lineno, error.colno, reason)) from None
    except (ValueError, RecursionError):
        reason = "the payload is not UTF-8, nested too deep, has half of a surrogate pair, or a number that is too long"
        raise FileInvalid(find(file.name, text, 1, 1, reason)) from None
    if not isinstance(values, dict):
        raise FileInvalid(find(file.name, text, 1, 1, 'the payload is no object; write {"name": "value"}'))
    return values


def _build_scene(
    key: str,
    *,
    folder: Path | None,
    enterprise: str,
    locale: str | None,
    time_zone: str | None,
    channel: str | None,
) -> Scene:
    """Read the templates, and choose the language.

    Raises:
        FileInvalid: a file cannot be read.
    """
    owner = Enterprise(enterprise)
    if folder is None:
        files, owner = asyncio.run(_read(enterprise))
    else:
        files, findings = read_folder([folder])
        if findings:
            raise FileInvalid(findings[0])
    language = choose_language(owner, locale, time_zone)
    return Scene(
        key, shelve(files), owner, language, list(Channel) if channel is None else [Channel(channel)]
    )


async def _read(enterprise: str) -> tuple[list[TemplateFile], Enterprise]:
    async with database() as engine:
        rows = await read_rows(engine, enterprise, published=True)
        return [from_row(row) for row in rows], (await read_enterprises(engine, [enterprise]))[enterprise]


def choose_language(enterprise: Enterprise, locale: str | None, time_zone: str | None) -> Language:
    """Return the chosen language and zone, else what the enterprise has, else the default."""
    default = load_language()
    return Language(
        choose_locale(default.default_locale, locale, enterprise.locale),
        time_zone or enterprise.time_zone or default.default_time_zone,
    )


def _render_all(scene: Scene, values: Mapping[str, Any]) -> tuple[dict[Channel, Rendered], list[Finding]]:
    """Render each channel for which the key has a template."""
    rendered: dict[Channel, Rendered] = {}
    findings: list[Finding] = []
    variables = list_variables(_imagine(scene), values)
    for channel in scene.channels:
        wanted = Wanted(scene.enterprise.id, channel, fallbacks(scene.language.locale))
        file = choose(scene.shelf, scene.key, wanted)
        if file is None:
            continue
        chosen = to_source(file, scene.shelf, wanted)
        result = attempt(Renderer(), chosen.source, variables, scene.language)
        if isinstance(result, Failure):
            findings.append(locate(file, chosen, result))
        else:
            rendered[channel] = result
    if not rendered and not findings:
        raise click.ClickException(
            f"template {scene.key}: there is none for this enterprise, channel and language; a draft in the database does not count"
        )
    return rendered, findings


def _imagine(scene: Scene) -> Occasion:
    """Return a notification that is due now."""
    enterprise, key = scene.enterprise, scene.key
    return Occasion(enterprise.id, enterprise.name, enterprise.brand, key, key, 0, key, datetime.now(UTC))


def locate(file: TemplateFile, chosen: Chosen, failure: Failure) -> Finding:
    """Return where a template failed."""
    at, text = (file, failure.text) if failure.part is None else (chosen.parts[failure.part], "body")
    finding = at.locate(text, failure.line or 1, failure.column or 1, failure.reason)
    if failure.column is None and text == "body":
        return at.locate(text, failure.line or 1, guess_column(finding.text, failure.reason), failure.reason)
    return finding


def _print(rendered: Mapping[Channel, Rendered]) -> None:
    for channel, text in rendered.items():
        click.echo(f"--- {channel}")
        if text.subject is not None:
            click.echo(f"Subject: {escape_for_terminal(text.subject)}\n")
        body = text.body if text.text is None else text.text
        click.echo("\n".join(escape_for_terminal(line, len(line)) for line in body.split("\n")))
