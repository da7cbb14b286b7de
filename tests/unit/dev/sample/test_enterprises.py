from xnovu_poller.dev.sample.enterprises import enterprise, enterprises, topic, topics


def test_there_are_five_enterprises_with_buildings() -> None:
    """Each of them has six buildings, and each building an assembly point."""
    assert len({each.id for each in enterprises()}) == 5
    assert all(len({building.name for building in each.buildings}) == 6 for each in enterprises())
    assert all(building.assembly_point for each in enterprises() for building in each.buildings)


def test_subscribers_are_opaque_ids() -> None:
    """An id consists of the enterprise's id and a number."""
    assert enterprise("campus-north").subscribers(range(41, 43)) == ("campus-north-0041", "campus-north-0042")


def test_each_enterprise_has_a_topic_of_its_wardens() -> None:
    """It belongs to its enterprise and has subscribers of that enterprise only."""
    assert [each.enterprise_id for each in topics()] == [each.id for each in enterprises()]
    north = topic(enterprise("campus-north"))
    assert north.recipient == "topic:campus-north-fire-wardens"
    assert north.subscribers
    assert all(subscriber.startswith("campus-north-") for subscriber in north.subscribers)
