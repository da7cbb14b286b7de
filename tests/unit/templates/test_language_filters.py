from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from babel import localedata
from hypothesis import given
from hypothesis import strategies as st

from tests.support.filling import fill
from xnovu_poller.errors import TemplateError, TemplateFailed
from xnovu_poller.templates.language import to_plain
from xnovu_poller.templates.language.filters import FILTERS
from xnovu_poller.templates.language.local import KEPT_LOCALES

VALUES: Mapping[str, Any] = {
    "text": "a <b> & 'c'",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 3,
    "zalgo": "a" + "\u0301" * 3_000,
    "turkish": "stra\u00dfe",
    "day": "2026-02-28",
    "naive": "2026-02-28T23:30:00",
    "moment": "2026-02-28T23:30:00Z",
    "amount": Decimal("1234567.891"),
    "trillions": 10**33,
    "names": ["Ada", "Bo"],
    "deep": [[[{"a": True, "b": Decimal("1.50"), "c": '\u2028"'}]]],
    "empty": {"a": {}, "b": []},
    "html": "<p>Hi <a href='https://a.example/b'>you</a></p>",
}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("text | h", "a &lt;b&gt; &amp; &#39;c&#39;"),
        ("text | slack", "a &lt;b&gt; &amp; 'c'"),
        ("text | u", "a+%3Cb%3E+%26+%27c%27"),
        ("text | url", "a%20%3Cb%3E%20%26%20%27c%27"),
        ("family | truncate(2)", "\U0001f468\u200d\U0001f469\u200d\U0001f467…"),
        ("family | truncate(3)", "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 3),
        ("turkish | upper", "STRASSE"),
        ("'' | default('x')", "x"),
        ("0 | default('x')", "0"),
        ("nobody.x | default('x'), upper", "X"),
        ("nobody.x | trim, default('x')", "x"),
        ("deep | json", '[[[{"a":true,"b":1.50,"c":"\u2028\\""}]]]'),
        ("empty | json", '{"a":{},"b":[]}'),
        ("html | strip_html", "Hi you (https://a.example/b)"),
        ("html | strip_html, upper, truncate(4)", "HI…"),
        ("names | list", "Ada and Bo"),
        ("amount | number", "1,234,567.891"),
        ("'100.00' | money('JPY')", "¥100"),
        ("amount | money(currency='EUR')", "€1,234,567.89"),
        ("1 | plural(one='x', other='y')", "x"),
        ("0 | plural(one='x', other='y')", "y"),
        ("day | date", "Feb 28, 2026"),
        ("day | date(style='full')", "Saturday, February 28, 2026"),
        ("naive | datetime('short')", "2/28/26, 11:30\u202fPM"),
        ("moment | time('short')", "11:30\u202fPM"),
    ],
)
def test_a_filter_changes_its_value(expression: str, result: str) -> None:
    """Without a locale, English is written; without a zone, UTC."""
    assert fill(f"${{{expression}}}", VALUES) == result


@pytest.mark.parametrize(
    ("expression", "locale", "time_zone", "result"),
    [
        ("amount | number", "de-CH", None, "1\u2019234\u2019567.891"),
        ("amount | number", "de_XX", None, "1.234.567,891"),
        ("amount | number", "xx_no", None, "1,234,567.891"),
        ("amount | number", "../../etc/passwd", None, "1,234,567.891"),
        ("2 | plural(one='a', few='b', other='c')", "pl", None, "b"),
        ("5 | plural(one='a', few='b', other='c')", "pl", None, "c"),
        ("trillions | plural(one='a', other='b')", "ar_EG", None, "b"),
        ("moment | date('short')", "de", "Asia/Tokyo", "01.03.26"),
        ("naive | time('short')", "de", "Asia/Tokyo", "23:30"),
        ("day | date('short')", "de", "America/New_York", "28.02.26"),
        ("names | list", "fr", None, "Ada et Bo"),
    ],
)
def test_words_are_those_of_the_place(
    expression: str, locale: str | None, time_zone: str | None, result: str
) -> None:
    """An unknown locale falls back to its language, then to English."""
    assert fill(f"${{{expression}}}", VALUES, locale=locale, time_zone=time_zone) == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("text | number", "a text is not a number"),
        ("text | date", "a text is not a time"),
        ("amount | date", "a number is not a time"),
        ("'9999-12-31T23:59:59-23:00' | date", "a text is not a time"),
        ("day | date('d' + 'd')", "has the length short, medium, long, full"),
        ("amount | money('euro')", "a currency is three capital letters"),
        ("text | truncate(0)", "a text is cut to 1 to 10000 characters"),
        ("text | truncate(text)", "a text is cut to 1 to 10000 characters"),
        ("text | list", "a text is not a list"),
        ("deep | list", "a list cannot be written"),
        ("deep | upper", "a list cannot be written"),
        ("huge | number", "too many digits"),
        ("huge | plural(other='x')", "too many digits"),
        ("many | list", "at most 100 items"),
        ("nested | json", "more than 50 lists and objects"),
    ],
)
def test_a_value_that_does_not_fit_a_filter_fails(expression: str, reason: str) -> None:
    """The sentence has no value."""
    nested: list[Any] = []
    for _ in range(60):
        nested = [nested]
    values = {**VALUES, "huge": Decimal("1E+300"), "many": ["x"] * 101, "nested": nested}
    with pytest.raises(TemplateFailed, match=reason) as failed:
        fill(f"${{{expression}}}", values)
    assert "<b>" not in str(failed.value)


@pytest.mark.parametrize(
    "chain",
    ["json", "upper", "lower", "title", "u", "url", "slack", "strip_html", "list", "h"],
)
def test_a_filter_pays_before_it_makes_a_text(chain: str) -> None:
    """A loop over a long value ends at the budget, after a few megabytes."""
    long = "<\u00e9\"'&\n" * 10_000
    value = {"json": [long], "list": [long]}.get(chain, long)
    text = f"% for i in rounds:\n${{value | {chain}, truncate(1)}}\n% endfor"
    with pytest.raises(TemplateFailed, match=r"more than \d+ (characters|steps)|longer than"):
        fill(text, {"rounds": [0] * 2_000, "value": value})


def test_graphemes_without_end_are_cut() -> None:
    """A text of one grapheme with thousands of marks takes neither long nor all of the text."""
    assert len(fill("${zalgo | truncate(10)}", VALUES)) < 400


CHAINS = st.sampled_from(
    [
        *(name for name in FILTERS if name not in {"n", "truncate", "default", "money", "plural"}),
        *(
            "truncate(3)",
            "default('x'), upper",
            "money('EUR')",
            "plural(one='a', other=x)",
            "date('full')",
            "time('long')",
        ),
        *("datetime('short')", "strip_html, url", "trim, title, h", "json, u", "list, upper"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.decimals().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.lists(
        st.sampled_from(
            [
                "<",
                "<p>",
                "</",
                "a href='https://x'>",
                "<!--",
                "-->",
                "&#",
                "9" * 5_000,
                "x41",
                ";",
                "&lt",
                "<script>",
                "*",
                "[",
                "](",
                "`",
                "\n",
                "\r",
                " ",
                "\u0301",
                "\u200d",
                "\U0001f469",
                "'",
            ]
        ),
        max_size=12,
    ).map("".join),
)
VALUES_OF_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@given(
    CHAINS,
    VALUES_OF_JSON,
    st.booleans(),
    st.sampled_from(["de", "ar_EG", "pl", "hi", "en_CH"]),
    st.sampled_from([None, "Asia/Kolkata", "No/where", "Europe"]),
)
def test_any_payload_passes_a_filter_or_fails_by_our_errors(
    chain: str,
    value: object,
    html: bool,  # noqa: FBT001 - drawn at random
    locale: str,
    time_zone: str | None,
) -> None:
    """Libraries of others see any value, and their errors become ours."""
    try:
        filled = fill(f"${{x | {chain}}}", {"x": value}, html=html, locale=locale, time_zone=time_zone)
    except TemplateError:
        return
    assert not html or chain in {"markdown", "nl2br"} or not set("<>") & set(filled)
    to_plain(filled)


def test_the_locales_in_memory_are_bounded() -> None:
    """Any notification may name any of CLDR's thousand locales, and each takes 0.6 MB."""
    for name in localedata.locale_identifiers()[: 3 * KEPT_LOCALES]:
        fill("${1 | number}", VALUES, locale=name)
    # A locale is read with its parents.
    assert len(localedata._cache) <= 3 * KEPT_LOCALES
    assert len(localedata._dict_cache) <= KEPT_LOCALES + 1


def test_the_name_of_a_locale_may_have_any_length() -> None:
    """Each part of it is tried, so there may not be many."""
    assert fill("${1000 | number}", VALUES, locale="de_" + "x_" * 100_000) == "1.000"
