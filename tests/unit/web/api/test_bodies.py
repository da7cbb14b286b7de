"""What is refused before PostgreSQL sees it, because a small request would cost much."""

import pytest
from pydantic import TypeAdapter

from xnovu_poller.web.api.bodies import validate_body
from xnovu_poller.web.api.problems import Problem
from xnovu_poller.web.api.shapes import NewNotification, NewNotifications

MODELS = (TypeAdapter[object](NewNotification), TypeAdapter[object](NewNotifications))


def refuse(raw: str) -> Problem:
    """Return why a body is refused."""
    with pytest.raises(Problem) as refused:
        validate_body(*MODELS, raw, 5_000_000)
    return refused.value


def with_payload(payload: str) -> str:
    """Return a body with a payload."""
    return f'{{"workflow_key": "w", "recipients": ["r"], "payload": {payload}}}'


@pytest.mark.parametrize("number", ["1e131071", "1E+131071", "-2.5e-16000", "1e" + "0" * 5000 + "99999"])
def test_numbers_that_are_enormous_when_written_out_are_refused(number: str) -> None:
    """PostgreSQL would write them out."""
    assert "written out" in refuse(with_payload(f'{{"\\"": [{", ".join([number] * 400)}]}}')).detail


@pytest.mark.parametrize(
    "payload", ['{"a": [1e308, 1e-300, 1e131071]}', '{"a": "1e9999999", "1e9999999": "\\"1e9999999"}']
)
def test_a_large_number_and_a_text_like_one_are_not(payload: str) -> None:
    """Numbers are counted outside of texts only."""
    assert validate_body(*MODELS, with_payload(payload), 5_000_000)


def test_of_a_hundred_thousand_faults_no_list_is_made() -> None:
    """Of a list, the first fault stands for all; of too many faults, only their number is named."""
    bad = f'{{"workflow_key": "w", "recipients": [{", ".join("1" * 10_000)}]}}'
    of_each = refuse(f"[{bad}, {bad}]").errors
    assert [each.pointer for each in of_each] == ["#/0/recipients/0", "#/1/recipients/0"]
    members = ", ".join(f'"m{number}": 1' for number in range(20_000))
    problem = refuse(f"{{{members}}}")
    assert (problem.errors, problem.detail) == ((), "it breaks rules in more than 10000 places")
