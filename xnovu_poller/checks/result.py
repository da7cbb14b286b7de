"""What a check found, as the row shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from xnovu_poller.lifecycle import CheckedStatus
from xnovu_poller.settings.languages import check_locale
from xnovu_poller.store.row_checks import RowCheck

_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about a row: the fact with its place, and what to write instead."""

    sentence: str
    is_warning: bool = False


def find_unknown(locale: str | None) -> Iterator[Finding]:
    """Yield that a language does not exist: its dates and numbers would be English, and nobody would write a text in it."""
    try:
        check_locale(locale or "en")
    except ValueError as error:
        yield Finding(f"locale: {locale} {error}")


def conclude(id_: int, at: datetime, findings: Sequence[Finding]) -> RowCheck:
    """Return the result of a check: the first error, or else the first warning, and how many more there are."""
    if not findings:
        return RowCheck(id_, at, CheckedStatus.OK)
    first = min(findings, key=lambda finding: finding.is_warning)
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    sentence = first.sentence
    if len(sentence) > _LONGEST:
        sentence = sentence[:_LONGEST] + "…"
    status = CheckedStatus.WARNING if first.is_warning else CheckedStatus.ERROR
    return RowCheck(id_, at, status, sentence + more)
