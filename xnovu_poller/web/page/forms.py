"""Forms: what a POST must prove before it counts."""

import hmac
import re
from secrets import token_urlsafe
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

COOKIE, FIELD = "xnovu_form", "form_token"
"""The same random token stands in a cookie and in each form: another site can read neither."""

MOST_BYTES = 1_000_000
"""A larger form is not read."""

_MOST_FIELDS = 200
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)


def token_of(request: Request) -> str:
    """Return the token of the browser's forms; a browser without a token gets one."""
    known: str | None = getattr(request.state, "form_token", None)
    if known is None:
        sent = request.cookies.get(COOKIE, "")
        known = request.state.form_token = sent if _TOKEN.fullmatch(sent) else token_urlsafe(32)
    return known


async def read_form(request: Request) -> FormData:
    """Return what a form of this page sent.

    Raises:
        HTTPException: it comes from another site, has no token, is too large, or has what PostgreSQL cannot hold.
    """
    _refuse_other_origins(request)
    if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
        raise HTTPException(413, "the form is too large")
    try:
        # Not Starlette's parser: it takes seconds for a million of `&`, which anybody may send to the login.
        pairs = parse_qsl(
            (await request.body()).decode(errors="replace"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
        )
    except (ValueError, ClientDisconnect):
        raise HTTPException(400, "the form is cut off, or has too many fields") from None
    if any("\0" in value for _, value in pairs):
        raise HTTPException(400, "a field has a NUL character")
    form = FormData([*pairs])
    given, token = str(form.get(FIELD, "")), request.cookies.get(COOKIE, "")
    if not (_TOKEN.fullmatch(token) and hmac.compare_digest(given.encode(), token.encode())):
        raise HTTPException(403, "the form is too old; open its page again, and send it again")
    return form


def _refuse_other_origins(request: Request) -> None:
    """Refuse a request that a page of another site has made. Every browser names the origin of a POST."""
    _, _, origin = request.headers.get("origin", "").partition("://")
    if not origin or origin != request.headers.get("host"):
        raise HTTPException(
            403, "the form was not sent from this page; open the page, and send it from there"
        )
