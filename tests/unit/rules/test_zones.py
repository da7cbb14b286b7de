import pytest

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.zones import explain_sign, read_zone


def refusal(name: object) -> str:
    """Return the reason of a refusal."""
    with pytest.raises(RuleInvalid) as caught:
        read_zone("timezone", name)
    return caught.value.reason


@pytest.mark.parametrize("name", ["UTC", "Asia/Shanghai", "America/Argentina/Buenos_Aires", "Etc/GMT+8"])
def test_a_zone_is_read(name: str) -> None:
    """Its name is that of the IANA database."""
    assert read_zone("timezone", name) == name


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("Europe/berlin", '"Europe/Berlin"'),
        ("Asia/Shangai", '"Asia/Shanghai"'),
        ("", "IANA"),
        ("localtime", "IANA"),
        ("Local", "IANA"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "IANA"),
        ("+08:00", "Etc/GMT-8"),
        ("../../etc/passwd", "IANA"),
        ("/usr/share/zoneinfo/UTC", "write"),
        ("posix/Europe/Berlin", "write"),
        ("Europe", "write"),
        ("UTC\0", "write"),
        (8, "IANA"),
        (None, "IANA"),
        (["UTC"], "IANA"),
    ],
)
def test_an_unknown_zone_is_refused(value: object, instead: str) -> None:
    """No text becomes a path, and no name means another zone on another host."""
    assert "time zone" in refusal(value)
    assert instead in refusal(value)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Asia/Mumbai", "Asia/Kolkata"),
        ("Bengaluru", "Asia/Kolkata"),
        ("asia/new_delhi", "Asia/Kolkata"),
        ("Asia/Osaka", "Asia/Tokyo"),
        ("Asia/Shenzhen", "Asia/Shanghai"),
        ("America/San_Francisco", "America/Los_Angeles"),
        ("US/Boston", "America/New_York"),
        ("Europe/Milan", "Europe/Rome"),
        ("Europe/Geneva", "Europe/Zurich"),
        ("America/Birmingham", "America/Chicago"),
        ("Z\u00fcrich", "Europe/Zurich"),
        ("New York", "America/New_York"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("pacific daylight time", "America/Los_Angeles"),
        ("Central Standard Time (Mexico)", "America/Mexico_City"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Russia Time Zone 3", "Europe/Samara"),
        ("PST", "America/Los_Angeles"),
        ("jst", "Asia/Tokyo"),
        ("Z", "UTC"),
        ("UTC+0", "UTC"),
        ("  Europe/Berlin ", "Europe/Berlin"),
        ("EUROPE/BERLIN", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("Europe\\Paris", "Europe/Paris"),
        ("etc/gmt-8", "Etc/GMT-8"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe/Belrin", "Europe/Berlin"),
    ],
)
def test_a_name_that_can_mean_one_zone_only_is_translated(name: str, zone: str) -> None:
    """Places, names of Windows, abbreviations, another case, and one wrong letter in a known region."""
    assert refusal(name) == f'there is no such time zone; write "{zone}"'


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("IST", ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"]),
        ("CST", ["America/Chicago", "Asia/Shanghai"]),
        ("BST", ["Europe/London", "Asia/Dhaka"]),
        ("Hyderabad", ["Asia/Kolkata", "Asia/Karachi"]),
    ],
)
def test_an_ambiguous_name_lists_its_meanings(name: str, zones: list[str]) -> None:
    """Its writer chooses."""
    assert "several meanings" in refusal(name)
    assert all(f'"{zone}"' in refusal(name) for zone in zones)


@pytest.mark.parametrize(
    "name",
    [
        *("Asia/Omks", "Asia/Delphi", "Europe/Mumbai", "America/Londen", "Asia/Gazs", "Europe/Xyz", "MXT"),
        *("GMT 8", "UTC8", "Singapor", "Eastern Time", "x" * 10_000, "UTC+5:31", "UTC+15", "GMT-13"),
    ],
)
def test_no_zone_is_guessed(name: str) -> None:
    """A wrong guess that is obeyed would fire at the wrong time in silence."""
    assert refusal(name).endswith(('such as "Asia/Shanghai" or "UTC"', "the name of a place there"))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("UTC+8", '"Etc/GMT-8", which is eight hours ahead of UTC (its sign is reversed)'),
        ("gmt -5", '"Etc/GMT+5", which is five hours behind UTC'),
        ("+01:00", '"Etc/GMT-1", which is one hour ahead of UTC'),
        ("UTC\u22128", '"Etc/GMT+8"'),
        ("UTC+5:30", '"Asia/Kolkata"'),
        ("GMT+0545", '"Asia/Kathmandu"'),
    ],
)
def test_an_offset_is_explained(name: str, instead: str) -> None:
    """The IANA names of whole hours have the sign reversed; other offsets have no name."""
    assert instead in refusal(name)


def test_a_reversed_sign_is_explained() -> None:
    """Such a name is valid, so this is a warning."""
    assert explain_sign("Etc/GMT+8") == "eight hours behind UTC"
    assert explain_sign("Etc/GMT-1") == "one hour ahead of UTC"
    assert explain_sign("Etc/GMT+0") is explain_sign("Europe/Berlin") is None
