"""The cache is bounded by weight, and no owner pushes out what another uses."""

from xnovu_poller.cache import WeightedCache


def test_a_value_is_made_once() -> None:
    """The second use finds it."""
    cache: WeightedCache[str] = WeightedCache(10)
    made = [cache.get("acme", "key", lambda n=n: (f"value {n}", 1)) for n in range(2)]  # type: ignore[misc]
    assert made == ["value 0", "value 0"]
    assert (len(cache), cache.weight) == (1, 1)


def test_owners_do_not_share_values() -> None:
    """An enterprise cannot even find out what another has cached."""
    cache: WeightedCache[str] = WeightedCache(10)
    assert [cache.get(owner, "key", lambda o=owner: (str(o), 1)) for owner in ("acme", "globex", None)] == [  # type: ignore[misc]
        "acme",
        "globex",
        "None",
    ]


def test_the_heaviest_owner_loses_what_it_used_least_recently() -> None:
    """An owner that fills the cache pushes out only its own values."""
    cache: WeightedCache[int] = WeightedCache(10)
    cache.get("quiet", 0, lambda: (0, 3))
    for number in [1, 2, 3, 1, 4, 5]:
        cache.get("busy", number, lambda: (0, 2))

    assert cache.weight <= 10
    assert {owner: list(kept) for owner, kept in cache._kept.items()} == {"quiet": [0], "busy": [1, 4, 5]}


def test_a_value_that_is_too_heavy_is_used_and_not_kept() -> None:
    """It may cost more than the whole cache."""
    cache: WeightedCache[str] = WeightedCache(10)
    assert cache.get("acme", "key", lambda: ("heavy", 11)) == "heavy"
    assert (len(cache), cache.weight) == (0, 0)
