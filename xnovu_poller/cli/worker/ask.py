"""`xnovu worker status` and `health`: ask a worker over HTTP how it is."""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import click

from xnovu_poller.cli.output import LONGEST_SENTENCE, json_option, print_json, print_table
from xnovu_poller.settings import HealthSettings, load_health

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 10_000_000

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to ask, not to listen on
"""Where to ask a worker that listens on all addresses."""

_HEALTH = ("status", "uptime", "version", "timestamp", "components")


def _check_url(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.BadParameter("must have the form http://host:port")
    return url


_url_option = click.option(
    "--url",
    metavar="URL",
    callback=_check_url,
    help="The worker's address; without it, WORKER_HEALTH_HOST and WORKER_HEALTH_PORT decide.",
)


def _ask_options(command: Callable[..., None]) -> Callable[..., None]:
    return _url_option(json_option(click.pass_context(command)))


@click.command
@_ask_options
def health(ctx: click.Context, url: str | None, *, as_json: bool) -> None:
    """Print how healthy a worker and each of its components are; fit for probes.

    Exit codes: 0 healthy or degraded, 1 unhealthy, 3 no worker answers.
    """
    _print(ctx, _ask(url, "health"), as_json=as_json)


@click.command
@_ask_options
def status(ctx: click.Context, url: str | None, *, as_json: bool) -> None:
    """Print the health of a worker, its backlog, loops, gate, wake-ups and chores.

    Exit codes: 0 healthy or degraded, 1 unhealthy, 3 no worker answers.
    """
    _print(ctx, _ask(url, "status"), as_json=as_json)


class _NoAnswer(click.ClickException):
    exit_code = 3

    def __init__(self, address: str, reason: str, advice: str = "does it run there?") -> None:
        super().__init__(f"worker: cannot be asked at {address} ({reason}); {advice}")


def _ask(url: str | None, page: str) -> dict[str, Any]:
    """Return the answer of a worker."""
    settings = load_health()
    token = settings.worker_http_token
    address = f"{_find_url(settings) if url is None else url.rstrip('/')}/{page}"
    try:
        answer = json.loads(_read(address, None if token is None else token.get_secret_value()))
    except _Unauthorized:
        raise _NoAnswer(
            address, "it asks for another token", "set WORKER_HTTP_TOKEN as its worker has it"
        ) from None
    except OSError as error:
        # urllib wraps the error of the connection.
        cause = error.reason if isinstance(error, URLError) else error
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
        raise _NoAnswer(address, reason) from None
    except (HTTPException, ValueError):
        answer = None
    if not isinstance(answer, dict) or not answer.keys() >= set(_HEALTH):
        raise _NoAnswer(address, "the answer is not a worker's")
    return answer


def _find_url(settings: HealthSettings) -> str:
    host = settings.worker_health_host.strip("[]")
    host = _EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.worker_health_port}"


class _Unauthorized(Exception):
    """The page asks for another token."""


def _read(address: str, token: str | None) -> bytes:
    """Return the body of an answer, also of 503; past any proxy of the environment.

    Raises:
        _Unauthorized: the token is missing or wrong.
    """
    request = Request(address)  # noqa: S310 - the option takes only http and https
    if token is not None:
        # A redirect must not carry it to another host.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return bytes(answer.read(_MOST_BYTES))
    except HTTPError as error:
        with error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise _Unauthorized from None
            return error.read(_MOST_BYTES)


def _print(ctx: click.Context, answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print an answer, and end the command with the exit code of the health."""
    if as_json:
        print_json(answer)
    else:
        rows = [(name, part["status"], part["detail"]) for name, part in answer["components"].items()]
        rows.insert(0, ("all", answer["status"], f"version {answer['version']}, up for {answer['uptime']} s"))
        print_table(("COMPONENT", "HEALTH", "DETAIL"), rows, LONGEST_SENTENCE)
        if rest := [*_flatten({name: value for name, value in answer.items() if name not in _HEALTH})]:
            click.echo()
            print_table(("WHAT", "VALUE"), rest, LONGEST_SENTENCE)
    ctx.exit(1 if answer["status"] == "unhealthy" else 0)


def _flatten(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of nested objects, each with its path."""
    if isinstance(value, Mapping) and (value or not name):
        for key, part in value.items():
            yield from _flatten(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
