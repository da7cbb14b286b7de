from xnovu_poller.rules import zone_names
from xnovu_poller.rules.zone_names import find_abbreviation, find_place, find_windows, fold
from xnovu_poller.rules.zones import list_zones


def test_every_zone_of_the_tables_exists() -> None:
    """Otherwise a rule would be refused again after its writer has obeyed."""
    for table in (zone_names._ABBREVIATIONS, zone_names._PLACES):
        assert {zone for zones in zone_names._read(table).values() for zone in zones} <= list_zones()


def test_no_entry_is_the_name_of_a_zone() -> None:
    """Such a name is read, or found, without the tables."""
    names = {fold(zone) for zone in list_zones()}
    places = {fold(zone.split("/")[-1]) for zone in list_zones()}

    assert names.isdisjoint(zone_names._read(zone_names._ABBREVIATIONS))
    assert places.isdisjoint(zone_names._read(zone_names._PLACES))


def test_a_name_is_found_in_any_spelling() -> None:
    """Case, blanks, punctuation and accents do not matter; an unknown name has no zone."""
    assert find_abbreviation("p.s.t.") == ("America/Los_Angeles",)
    assert find_place("S\u00c3O-JOSE") == find_abbreviation("") == find_windows("Standard Time") == ()
    assert find_place("st. louis") == ("America/Chicago",)
    assert find_windows("tokyo standard time") == ("Asia/Tokyo",)
