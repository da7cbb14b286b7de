"""Log in with the password, and out."""

import asyncio
import math

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from xnovu_poller import log
from xnovu_poller.web.page.access import LONGEST_NAME, SESSION
from xnovu_poller.web.page.desk import Desk
from xnovu_poller.web.page.forms import read_form

_log = log.get(__name__)


async def show(desk: Desk, request: Request) -> Response:
    """Show the form."""
    if not desk.access.has_login:
        raise HTTPException(404)
    return _form(desk, request)


async def log_in(desk: Desk, request: Request) -> Response:
    """Open a session, if the password is right."""
    form = await read_form(request)
    address, slowdown = desk.access.proxies.address_of(request), desk.access.slowdown
    if (wait := slowdown.wait(address)) > 0:
        response = _form(
            desk, request, f"Wait {math.ceil(wait)} s: the password was wrong several times.", 429
        )
        response.headers["retry-after"] = str(math.ceil(wait))
        return response
    # Counted before it is compared: requests at the same time count too.
    slowdown.fail(address)
    words = " ".join(str(form.get("name", "")).split())
    name = "".join(filter(str.isprintable, words))[:LONGEST_NAME]
    if not desk.access.is_password(str(form.get("password", ""))):
        _log.warning("operator's page: wrong password", address=address)
        await asyncio.sleep(0.2)
        return _form(desk, request, "The password is wrong.", 403)
    slowdown.forget(address)
    response = RedirectResponse(_inside(str(form.get("next", ""))), 303)
    desk.access.open_session(request, response, name or "operator")
    return response


async def log_out(_desk: Desk, request: Request) -> Response:
    """Take the cookie back."""
    await read_form(request)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION, path="/")
    return response


def _form(desk: Desk, request: Request, fault: str = "", status: int = 200) -> Response:
    back = _inside(request.query_params.get("next", ""))
    return desk.show(request, "login.html", status=status, fault=fault, next=back)


def _inside(path: str) -> str:
    """Return an address of this site; browsers take `//host` and a backslash for another site's."""
    is_inside = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return path if is_inside and "\\" not in path else "/"
