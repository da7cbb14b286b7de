from xnovu_poller.rules.windows_zones import WINDOWS
from xnovu_poller.rules.zones import list_zones


def test_every_zone_of_windows_exists() -> None:
    """Each name has one zone."""
    lines = [line.split(" = ") for line in WINDOWS.strip().splitlines()]

    assert {zone for _, zone in lines} <= list_zones()
    assert len({name.casefold() for name, _ in lines}) == len(lines)
