"""The id of a row in a path, from the digits that a client sends."""

import pytest
from starlette.routing import Match, Route

from xnovu_poller.web.row_id import row_id


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("7", 7), ("9" * 19, 2**63 - 1), ("9" * 20, None), ("9" * 5000, None), ("-1", None)],
)
def test_an_id_fits_into_bigint(digits: str, expected: int | None) -> None:
    """More digits than bigint has are no id at all."""
    route = Route(f"/rows/{row_id('id')}", lambda: None)
    match, child = route.matches({"type": "http", "method": "GET", "path": f"/rows/{digits}"})
    assert child.get("path_params", {}).get("id") == expected
    assert (match is Match.NONE) == (expected is None)
