"""Validators of languages and time zones."""

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, localedata

_LOCALE = re.compile(r"([a-z]{2,3})(?:[_-]([A-Z][a-z]{3}))?(?:[_-]([A-Z]{2}|[0-9]{3}))?")


def check_locale(value: str) -> str:
    """Return a language as templates have it: `de`, `de_CH`, `zh_Hant_TW`.

    The language, the script and the country exist each by itself: German in France is a language too.

    Raises:
        ValueError: it is none, or CLDR does not know it, so that its dates and numbers would be English.
    """
    found = _LOCALE.fullmatch(value)
    if not found or not _is_known(*found.groups()):
        raise ValueError("must be a language such as de or de_CH")
    return value.replace("-", "_")


def choose_locale(default: str, *names: str | None) -> str:
    """Return the first name whose language CLDR knows, or the default: no text would be found for another."""
    return next((name for name in names if name and _has_language(name)), default)


@lru_cache(1_000)
def _has_language(name: str) -> bool:
    return localedata.exists(re.split("[_-]", name, maxsplit=1)[0].lower())


def _is_known(language: str, script: str | None, country: str | None) -> bool:
    names = Locale("en")
    return localedata.exists(language) and all(
        name is None or name in known
        for name, known in ((script, names.scripts), (country, names.territories))
    )


def check_time_zone(value: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(value).key
    except (OSError, LookupError, ValueError):
        raise ValueError("must be a time zone such as Europe/Zurich") from None
