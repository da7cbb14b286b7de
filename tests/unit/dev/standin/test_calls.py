import json

import pytest

from xnovu_poller.dev.standin.calls import Refusal, paginate, success

ITEMS = [{"_id": str(number)} for number in range(5)]


def test_a_result_is_wrapped_unless_it_is_a_list() -> None:
    """A list has `data` and no id; a subscriber has both and is wrapped."""
    assert json.loads(success(200, True).content) == {"data": True}  # noqa: FBT003 - a result
    listed = {"data": [], "totalCount": 0}
    assert json.loads(success(200, listed).content) == listed
    subscriber = {"_id": "1", "data": {}}
    assert json.loads(success(200, subscriber).content) == {"data": subscriber}


def test_an_error_is_never_wrapped() -> None:
    """429 and 503 are bare strings; every other error has status, time, path and message."""
    body = json.loads(Refusal(422, "no", errors={}).answer("/p").content)
    assert body.pop("timestamp").endswith("Z")
    assert body == {"statusCode": 422, "path": "/p", "message": "no", "errors": {}}
    assert Refusal(429, "slow down").answer("/p").content == b'"slow down"'


def test_cursors_lead_through_a_list() -> None:
    """`after` leads forwards, `before` backwards, and there is nothing past the ends."""
    first = paginate(ITEMS, {"limit": "2"})
    assert ([item["_id"] for item in first["data"]], first["previous"]) == (["0", "1"], None)
    second = paginate(ITEMS, {"limit": "2", "after": first["next"]})
    last = paginate(ITEMS, {"limit": "2", "after": second["next"]})
    assert ([item["_id"] for item in last["data"]], last["next"]) == (["4"], None)
    assert paginate(ITEMS, {"limit": "2", "before": second["previous"]})["data"] == first["data"]


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1", "1.5", "nan", "inf"])
def test_a_page_has_one_to_a_hundred_items(limit: str) -> None:
    """The answer to any other limit is 422."""
    with pytest.raises(Refusal):
        paginate(ITEMS, {"limit": limit})
