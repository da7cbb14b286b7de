from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import Position
from xnovu_poller.web.page.query import (
    read_filters,
    read_moment,
    read_position,
    with_place,
    write_filters,
    write_position,
)

EVERY = Filters(
    enterprise="acme & co",
    states=(Status.SENT, Status.DEAD),
    code="poison",
    workflow="evacuate",
    rule=7,
    tag="t=1",
    since=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    until=datetime(2026, 2, 1, tzinfo=UTC),
    recipient="topic:all",
)


def test_an_address_has_all_of_the_filters() -> None:
    """Somebody who gets the address sees the same, to the microsecond."""
    assert read_filters(QueryParams(urlencode(write_filters(EVERY)))) == (EVERY, [])
    assert read_filters(QueryParams("")) == (Filters(), [])


def test_a_value_that_cannot_be_read_has_a_sentence() -> None:
    """It filters nothing, so the page must not act on it silently; unknown states are left out."""
    filters, faults = read_filters(
        QueryParams(
            urlencode({"rule": "x", "since": "soon", "tag": "a\0", "code": "x" * 1001, "state": "odd"})
        )
    )
    assert filters == Filters()
    assert [fault.partition(":")[0] for fault in faults] == ["code", "rule", "tag", "since"]


@pytest.mark.parametrize(
    "text", ["", "7", "24x", "99999999999999d", "999999999d", "0001-01-01", "2026-13-01"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Years that PostgreSQL or Python cannot count are no times either."""
    with pytest.raises(ValueError, match="write 2026"):
        read_moment(text)


def test_a_time_may_be_an_age() -> None:
    """Or a day, in UTC."""
    assert abs(datetime.now(UTC) - read_moment("2h") - timedelta(hours=2)) < timedelta(minutes=1)
    assert read_moment("2026-11-30") == datetime(2026, 11, 30, tzinfo=UTC)
    assert read_moment("2026-11-30T09:00+01:00") == datetime(2026, 11, 30, 8, tzinfo=UTC)


def test_the_next_page_has_the_same_filters() -> None:
    """And another place; a place that cannot be read is the beginning."""
    place = Position(datetime(2026, 1, 2, tzinfo=UTC), 17)
    given = QueryParams(with_place(QueryParams("state=DEAD&state=SENT&code=&after=x"), write_position(place)))
    assert given.getlist("state") == ["DEAD", "SENT"]
    assert read_position(given) == place
    assert read_position(QueryParams("after=2026-01-02,x")) is None
    assert with_place(given, None) == "state=DEAD&state=SENT"
