"""Fill templates of the language with variables, without rows and channels."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.templates.language import Program, State, Unfit, compile_template, write


def fill(  # noqa: PLR0913 - each has a default
    text: str,
    variables: Mapping[str, Any],
    parts: Mapping[str, str] | None = None,
    *,
    html: bool = False,
    limit: int = 100_000,
    locale: str | None = None,
    time_zone: str | None = None,
) -> str:
    """Compile and fill a template."""

    @cache
    def find(key: str) -> Program:
        if key not in (parts or {}):
            raise Unfit(f"{key} is missing")
        return compile_template((parts or {})[key], html=html)

    state = State(variables, "body", limit, find)
    state.locale, state.time_zone = locale, time_zone
    try:
        write(compile_template(text, html=html), state)
    except Unfit as unfit:
        raise TemplateFailed(unfit.reason) from None
    return "".join(state.out)
