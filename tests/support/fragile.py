"""Libraries that kill their process for certain inputs, as a bug in C would; each is the `prepare` of a forked command."""

import os
import signal
from typing import Any

import httpx
import jsonschema_rs


def die_of_poison() -> None:
    """Let the HTTP library die of a body with the word poison."""
    send = httpx.AsyncClient.send

    async def dying(self: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        if b"poison" in request.content:
            os.kill(os.getpid(), signal.SIGKILL)
        return await send(self, request)

    httpx.AsyncClient.send = dying  # type: ignore[method-assign,assignment]


def die_of_title() -> None:
    """Let the schema library die of a title with the word deadly."""
    build = jsonschema_rs.validator_for

    def dying(schema: Any, **options: Any) -> Any:  # noqa: ANN401 - as the library declares it
        if "deadly" in schema.get("title", ""):
            os.kill(os.getpid(), signal.SIGKILL)
        return build(schema, **options)

    jsonschema_rs.validator_for = dying  # type: ignore[assignment]
