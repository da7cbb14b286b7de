"""Schemathesis against the API: requests at random, valid and not, and answers that its document must know."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.programs import ENVIRONMENT
from tests.support.waiting import WITHIN

QUICK = ("--phases", "fuzzing", "--max-examples", "3", "--generation-deterministic")
"""For each run of the tests."""

LONG = ("--phases", "coverage,fuzzing,stateful", "--max-examples", "300", "--generation-database", "none")
"""For `make fuzz-api`: each boundary of each value too, and calls that follow from each other."""

# 422: a valid form may have a meaning that is refused, such as a workflow that does not exist.
_CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
"""

_PROGRAM = Path(sys.executable).with_name("schemathesis")


def narrow(document: dict[str, Any], **keys: tuple[str, str]) -> None:
    """Let a member of each of these models be a key that exists, or its opposite, so that requests pass the first look-up."""
    for model, (name, key) in keys.items():
        document["components"]["schemas"][model]["properties"][name] = {"enum": [key, f"no-{key}"]}


async def fuzz(document: dict[str, Any], url: str, key: str, folder: Path, *options: str) -> tuple[int, str]:
    """Run it until its end; return its exit code, 0 if it has found nothing, and what it printed."""
    (folder / "schemathesis.toml").write_text(_CONFIG)
    (folder / "openapi.json").write_text(json.dumps(document))
    words: Sequence[str] = (
        *("--config-file", "schemathesis.toml", "run", "openapi.json", "--url", url),
        *("--header", f"Authorization: Bearer {key}", "--no-color"),
        *("--request-timeout", str(WITHIN), "--suppress-health-check", "too_slow"),
    )
    ran = await asyncio.create_subprocess_exec(
        _PROGRAM,
        *words,
        *options,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await ran.communicate()
    finally:
        if ran.returncode is None:
            ran.kill()
    assert ran.returncode is not None
    return ran.returncode, output.decode()
