"""Check published templates: their constructs, and the layouts and partials that they use."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from xnovu_poller.checks.result import Finding, conclude, find_unknown
from xnovu_poller.delivery.words import to_read, to_source
from xnovu_poller.errors import TemplateError
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.row_checks import RowCheck, read_templates_to_check
from xnovu_poller.store.templates import TemplateKey, TemplateVersion, read_templates, read_versions
from xnovu_poller.templates.check import Fault, check_texts

_PIECE_SECONDS = 0.005
"""After work of this length, the process does other work for as long as it took."""


async def check_templates(engine: Engine, ids: Sequence[int], end: float) -> AsyncIterator[RowCheck]:
    """Check templates as a notification in their language would find them; leave out those that are published no more.

    A global template is checked with global layouts and partials.

    Args:
        end: by the monotonic clock; the templates that are left then are not checked.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    rows = await read_templates_to_check(engine, ids)
    versions = await read_versions(engine, [row.wanted for row in rows])
    for row in sorted(rows, key=lambda row: ids.index(row.id)):
        parts = versions.get(row.wanted, {})
        version = parts.get(row.wanted.key)
        if version is not None and version.id == row.id:
            findings = await _find(engine, row.wanted, parts)
            yield conclude(row.id, version.at, findings)
        if time.monotonic() >= end:
            break


async def examine_template(engine: Engine, wanted: TemplateKey) -> list[Finding] | None:
    """Return all faults of a template now, for a person who looks at it; None if none is published.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    parts = (await read_versions(engine, [wanted])).get(wanted)
    return None if parts is None else await _find(engine, wanted, parts)


async def _find(engine: Engine, wanted: TemplateKey, parts: Mapping[str, TemplateVersion]) -> list[Finding]:
    """Read a template with all that it uses, at most 1 MB, and return its faults."""
    texts = await read_templates(engine, to_read(parts))
    source = to_source(wanted.key, parts, texts)
    if isinstance(source, TemplateError):
        return [Finding(str(source))]
    found = list(find_unknown(wanted.locale))
    start = time.monotonic()
    for faults in check_texts(source, knows_all=True, known={}):
        found += map(_describe, faults)
        took = time.monotonic() - start
        if took > _PIECE_SECONDS:
            await asyncio.sleep(took)
            start = time.monotonic()
    return found


def _describe(fault: Fault) -> Finding:
    text = fault.text if fault.part is None else f"layout or partial {fault.part}"
    return Finding(f"{text}: line {fault.line}, column {fault.column}: {fault.reason}", fault.is_warning)
