"""Dates, numbers, money, lists and plurals as people of a place write them, by CLDR's rules."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, lists, localedata, numbers

from xnovu_poller.templates.language.state import State
from xnovu_poller.templates.language.values import Unfit, name_kind, to_number, to_text

KEPT_LOCALES = 32
"""After this many other locales, Babel's memory of locales is cleared; each takes about 0.6 MB."""

MAX_NAME = 40
"""The most characters of the name of a locale that are read."""

MAX_ITEMS = 100
"""The most items of a list in a sentence."""

STYLES = ("short", "medium", "long", "full")
"""The lengths of dates and times."""

FORMS = ("zero", "one", "two", "few", "many", "other")
"""The plural forms of CLDR."""

_STEPS = 100
_BABEL = Context(prec=200)
"""Babel rounds within the digits of the context, which are 28 otherwise."""

_NUMBER = re.compile(r"-?\d{1,34}(?:\.\d{1,34})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


@lru_cache(KEPT_LOCALES)
def _parse_locale(name: str) -> Locale:
    """Return the locale of a name such as `de_CH` or `de-CH`, or of its language, or English."""
    # Babel keeps the words of every locale that it has ever read, and a notification may name any of a thousand.
    if _parse_locale.cache_info().misses % KEPT_LOCALES == 0:
        localedata.clear_caches()
    name = name[:MAX_NAME]
    name = name.replace("-", "_")
    while name:
        try:
            return _mend(Locale.parse(name))
        except (UnknownLocaleError, ValueError):
            name = name.rpartition("_")[0]
    return Locale("en")


def _mend(locale: Locale) -> Locale:
    """Give a Swiss locale its apostrophe: Babel takes CLDR's `'` for a quote, and removes every two from a number."""
    for symbols in locale.number_symbols.values():
        if symbols.get("group") == "'":
            symbols["group"] = "\u2019"
    return locale


def _locale(state: State) -> Locale:
    state.spend(_STEPS)
    return _parse_locale(state.locale or "en")


@lru_cache(KEPT_LOCALES)
def _find_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise Unfit("the time zone is unknown; set one of the IANA list, such as Europe/Berlin") from None


def _zone(state: State) -> tzinfo:
    return UTC if state.time_zone is None else _find_zone(state.time_zone)


def _read_moment(state: State, value: object) -> datetime:
    """Return the moment that a text in ISO 8601 names, in the zone of the text; without an offset it is of that zone."""
    zone = _zone(state)
    if type(value) is not str or len(value) > 40:  # noqa: PLR2004 - the longest has 35
        raise Unfit(f"{name_kind(value)} is not a time; write it as 2026-12-31T18:00:00Z in the payload")
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
    except (ValueError, OverflowError):
        raise Unfit("a text is not a time; write it as 2026-12-31T18:00:00Z in the payload") from None


def _style(value: object) -> str:
    if type(value) is str and value in STYLES:
        return value
    raise Unfit(f"a date or time has the length {', '.join(STYLES)}; write one of them in quotes")


def format_date(state: State, value: object, style: object = "medium") -> str:
    """Return the day of a moment."""
    moment = _read_moment(state, value)
    return dates.format_date(moment, _style(style), locale=_locale(state))


def format_time(state: State, value: object, style: object = "short") -> str:
    """Return the time of day of a moment."""
    moment = _read_moment(state, value)
    return dates.format_time(moment, _style(style), tzinfo=moment.tzinfo, locale=_locale(state))


def format_datetime(state: State, value: object, style: object = "medium") -> str:
    """Return the day and time of a moment."""
    moment = _read_moment(state, value)
    return dates.format_datetime(moment, _style(style), tzinfo=moment.tzinfo, locale=_locale(state))


def _number(value: object) -> int | Decimal:
    """Return a number, or that of a text such as `100.00`."""
    if type(value) is str and _NUMBER.fullmatch(value):
        return Decimal(value)
    return to_number(value)


def _format(state: State, value: object, write: Callable[[Decimal, Locale], str]) -> str:
    number = Decimal(_number(value))
    if not number.is_zero() and not -40 <= number.adjusted() <= 40:  # noqa: PLR2004 - each zero is written
        raise Unfit("a number has too many digits to be written for people; write it as text in the payload")
    with localcontext(_BABEL):
        return write(number, _locale(state))


def format_number(state: State, value: object) -> str:
    """Return a number, with at most three places after the point."""
    return _format(state, value, lambda number, locale: numbers.format_decimal(number, locale=locale))


def format_percent(state: State, value: object) -> str:
    """Return a share of 1 as a percentage: 0.25 is 25%."""
    return _format(state, value, lambda number, locale: numbers.format_percent(number, locale=locale))


def format_money(state: State, value: object, currency: object) -> str:
    """Return an amount of money.

    Args:
        state: the rendering.
        value: a number, or a text such as `100.00`.
        currency: the three letters of ISO 4217.
    """
    if type(currency) is not str or _CURRENCY.fullmatch(currency) is None:
        raise Unfit("a currency is three capital letters; write money('EUR')")
    return _format(
        state, value, lambda number, locale: numbers.format_currency(number, currency, locale=locale)
    )


def format_list(state: State, value: object) -> str:
    """Return items as a part of a sentence: `a, b and c`."""
    if type(value) is not list:
        raise Unfit(f"{name_kind(value)} is not a list; the filter `list` takes a list of texts or numbers")
    if len(value) > MAX_ITEMS:
        raise Unfit(f"a sentence lists at most {MAX_ITEMS} items; take a slice, or write `% for`")
    items = [to_text(item) for item in value]
    # Babel adds the items from the last, and makes the text anew for each.
    state.grow(len(items) * sum(len(item) + 8 for item in items))
    return lists.format_list(items, locale=_locale(state))


def choose_plural(state: State, value: object, **forms: object) -> object:
    """Return the form for a number: `other`, or the form that CLDR names for it if the template has it."""
    form = _format(state, value, lambda number, locale: locale.plural_form(number))
    return forms.get(form, forms["other"])
