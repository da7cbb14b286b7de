"""The page of documentation: the same document, for people. It has no script and needs no address outside."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.web.api.operation import LARGEST_ID

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def routes(document: Mapping[str, Any]) -> list[Route]:
    """Return the routes of the document, its page and the page's style."""
    loader = PackageLoader("xnovu_poller.web.api")
    environment = Environment(loader=loader, autoescape=True)
    environment.filters |= {"references": _print_references, "words": _print_words, "kind": _print_kind}
    page = environment.get_template("documentation.html").render(document=document)
    style = environment.get_template("docs.css").render()
    machine = json.dumps(document, indent=1)

    async def get_document(_request: Request) -> Response:
        return Response(machine, media_type="application/json", headers={"X-Content-Type-Options": "nosniff"})

    async def get_page(_request: Request) -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    async def get_style(_request: Request) -> Response:
        return Response(style, media_type="text/css", headers=_HEADERS)

    return [
        Route("/api/openapi.json", get_document),
        Route("/api/docs", get_page),
        Route("/api/docs.css", get_style),
    ]


def _print_kind(schema: Mapping[str, Any]) -> Markup:
    """Return the type of a member in words, with links to shapes."""
    if "$ref" in schema:
        return _print_references(schema)
    if "anyOf" in schema:
        return Markup(" or ").join(_print_kind(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        names = schema.get("enum", [schema.get("const")])
        return Markup(", ").join(Markup("<code>{}</code>").format(name) for name in names)
    kind = escape(schema.get("format") or schema.get("type", "any value"))
    if "items" in schema:
        return Markup("list of ") + _print_kind(schema["items"])
    return Markup(", ").join([kind, *_bounds(schema)])


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        yield f"from {least}" if most in {None, LARGEST_ID} else f"{least} to {most}"
    if "maxLength" in schema:
        yield f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"


def _print_words(text: str) -> Markup:
    """Return a text whose names stand between backticks."""
    parts = (
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part)
        for odd, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def _print_references(schema: Mapping[str, Any]) -> Markup:
    """Return links to the shapes of a schema."""
    links = [
        Markup('<a href="#shape-{0}">{0}</a>{1}').format(name, "" if only else escape(" (a list)"))
        for name, only in _references(schema, only=True)
    ]
    return Markup(" or ").join(dict.fromkeys(links))


def _references(schema: Mapping[str, Any], *, only: bool) -> list[tuple[str, bool]]:
    if "$ref" in schema:
        return [(schema["$ref"].rpartition("/")[2], only)]
    found = [
        each
        for key in ("anyOf", "oneOf")
        for part in schema.get(key, ())
        for each in _references(part, only=only)
    ]
    return found + (_references(schema["items"], only=False) if "items" in schema else [])
