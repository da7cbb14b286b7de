"""Read the body and the parameters of a request, and check them by the models of the document."""

import asyncio
import re
from typing import Any, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from xnovu_poller.web.api.problems import Broken, Fault, Problem

BODY_SECONDS = 10.0
"""A body that is not complete after this long is given up."""

_MOST_ERRORS = 20
_MOST_COUNTED = 10_000
"""pydantic makes an object of each fault, however few are read: with millions of them no other request would be answered."""

_SENTENCES = {"extra_forbidden": "is not known here", "missing": "is missing"}
_SUBJECT = re.compile(r"^(Input|List|String|Dictionary|Value) should")
_OTHERS = re.compile(r"^Value error, | after validation, not \d+$")
"""What a sentence of pydantic has too much: the pointer names the subject, and counts are no help."""


async def read_body(request: Request, most_bytes: int) -> str:
    """Return the body, JSON in UTF-8; an empty text if there is none.

    Raises:
        Problem: it is too large, too slow, not JSON, or cut off.
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most_bytes:
        raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                chunks.append(chunk)
    except TimeoutError:
        raise Problem(Fault.REQUEST_TIMEOUT, headers=CLOSE) from None
    except ClientDisconnect:
        raise Problem(Fault.BAD_REQUEST, "the body is cut off") from None
    if size:
        _check_type(request)
    try:
        return b"".join(chunks).decode()
    except UnicodeDecodeError:
        raise Problem(Fault.BAD_REQUEST, "the body is not UTF-8") from None


CLOSE = {"Connection": "close"}
"""Of an answer before the whole body was read."""


def _too_large(most_bytes: int) -> Problem:
    return Problem(Fault.TOO_LARGE, f"a request has at most {most_bytes} bytes", headers=CLOSE)


def _check_type(request: Request) -> None:
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [each for each in map(str.strip, parameters) if each.startswith("charset=")]
    if kind.strip() != "application/json" or not {*charsets} <= {"charset=utf-8", 'charset="utf-8"'}:
        raise Problem(Fault.UNSUPPORTED_MEDIA_TYPE)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(Fault.UNSUPPORTED_MEDIA_TYPE, "it must not be compressed")


def validate_body(
    model: TypeAdapter[Any], of_list: TypeAdapter[Any] | None, raw: str, most_digits: int
) -> Any:  # noqa: ANN401 - what the model has
    """Return the body as the model has it.

    Args:
        of_list: the model of a body that is a list; None: `model`.
        most_digits: that its numbers may have if all are written out.

    Raises:
        Problem: it is no JSON, or breaks rules of the model.
    """
    try:
        body = (of_list if of_list and _LIST.match(raw) else model).validate_json(raw or "null")
    except ValidationError as error:
        if error.error_count() > _MOST_COUNTED:
            raise Problem(Fault.INVALID, f"it breaks rules in more than {_MOST_COUNTED} places") from None
        found = _errors(error)
        if found[0]["type"] == "json_invalid":
            # Its sentence names a place and nothing of the body.
            reason = found[0]["msg"].removeprefix("Invalid JSON: ")
            raise Problem(Fault.BAD_REQUEST, f"the body is not JSON, or too much of it: {reason}") from None
        raise Problem(Fault.INVALID, errors=[_broken(each, is_body=True) for each in found]) from None
    _check_digits(raw, most_digits)
    return body


_LIST = re.compile(r"[ \t\r\n]*\[")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"')
_EXPONENT = re.compile(r"\d[eE][+-]?(\d{2,})")


def _check_digits(raw: str, most: int) -> None:
    """Refuse numbers such as 1e100000: PostgreSQL writes them out, so that a small body would keep it busy for minutes.

    Raises:
        Problem: they have more digits than the body may have bytes.
    """
    # Most bodies have no exponent, and a look costs less than to find their strings.
    if _EXPONENT.search(raw) and sum(map(float, _EXPONENT.findall(_STRING.sub("", raw)))) > most:
        raise Problem(Fault.INVALID, f"written out, its numbers have more than {most} digits")


def validate_query(model: type[BaseModel] | None, parameters: QueryParams) -> BaseModel | None:
    """Return the parameters as the model has them.

    Raises:
        Problem: one of them is unknown, given twice, or breaks a rule.
    """
    if model is None:
        if parameters:
            raise Problem(Fault.INVALID, "this path has no parameters")
        return None
    several: dict[str, list[str]] = {}
    for name, value in parameters.multi_items():
        several.setdefault(name, []).append(value)
    given: dict[str, Any] = {}
    for name, values in several.items():
        field = model.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is list:
            given[name] = values
        elif len(values) > 1:
            raise Problem(Fault.INVALID, errors=[Broken(name, "is given twice")])
        else:
            given[name] = values[0]
    try:
        return model.model_validate(given, strict=False)
    except ValidationError as error:
        raise Problem(
            Fault.INVALID, errors=[_broken(each, is_body=False) for each in _errors(error)]
        ) from None


def _errors(error: ValidationError) -> list[Any]:
    """Return the first faults, without the values."""
    return error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]


def _broken(error: Any, *, is_body: bool) -> Broken:  # noqa: ANN401 - pydantic's form
    path = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"])
    sentence = _SENTENCES.get(error["type"]) or _OTHERS.sub("", _SUBJECT.sub("must", error["msg"]))
    return Broken(f"#/{path}".rstrip("/") if is_body else path, sentence)
