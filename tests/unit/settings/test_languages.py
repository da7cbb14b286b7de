"""The default language and time zone."""

import pytest

from xnovu_poller.settings.languages import check_locale, check_time_zone, choose_locale


def test_a_language_is_written_as_templates_have_it() -> None:
    """Both separators are in use."""
    assert [check_locale(name) for name in ("de", "de-CH", "zh_Hant-TW", "es_419", "de_FR")] == [
        "de",
        "de_CH",
        "zh_Hant_TW",
        "es_419",
        "de_FR",
    ]


@pytest.mark.parametrize("name", ["German", "DE", "de_", "de_ch", "d", "xx_YY", "xx", "de_YY", "de_Qqqq"])
def test_what_is_no_language_is_refused(name: str) -> None:
    """No template would ever be found in it."""
    with pytest.raises(ValueError, match="must be a language such as de or de_CH"):
        check_locale(name)


def test_a_time_zone_exists() -> None:
    """A name that leads out of the folder of zones is none either."""
    assert check_time_zone("Europe/Zurich") == "Europe/Zurich"
    for name in ("Mars/Olympus", "../../etc/passwd", "Europe"):
        with pytest.raises(ValueError, match="must be a time zone such as Europe/Zurich"):
            check_time_zone(name)


def test_the_first_known_language_is_chosen() -> None:
    """A country that nobody knows leaves the language."""
    assert choose_locale("en", "de-XX", "fr") == "de-XX"
    assert choose_locale("en", "xx_YY", "fr_CH") == "fr_CH"
    assert choose_locale("en", None, "xx") == "en"
