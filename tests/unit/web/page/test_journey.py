import re
from datetime import timedelta

from xnovu_poller.lifecycle import LAWFUL_MOVES, Status
from xnovu_poller.story.way import Move
from xnovu_poller.web.page import journey


def test_each_lawful_move_is_drawn() -> None:
    """None is missing, and none is drawn that the database refuses."""
    assert set(journey._ARROWS) == LAWFUL_MOVES
    assert set(journey._PLACES) == set(Status)
    assert len(re.findall('class="arrow"', journey.draw([], Status.PENDING))) == len(LAWFUL_MOVES)


def test_the_way_is_marked_with_its_waits() -> None:
    """Those who hear the page get it as a sentence."""
    moves = [
        Move(Status.PENDING, Status.PROCESSING, "attempt 1", None, timedelta(seconds=0.4)),
        Move(Status.PROCESSING, Status.FAILED, "failed", None, None, 3),
        Move(Status.FAILED, Status.PROCESSING, "attempt 2", None),
    ]
    drawing = journey.draw(moves, Status.PROCESSING)
    assert re.findall(r'class="arrow made"', drawing) == ['class="arrow made"'] * 3
    assert re.findall(r'class="label \w+"[^>]*>([^<]*)<', drawing) == ["after 0.4 s", "3 times", ""]
    assert 'class="node visited current processing"' in drawing
    assert "PENDING, PROCESSING, FAILED, PROCESSING. It is PROCESSING now." in drawing
    assert "was never claimed" in journey.draw([], Status.PENDING)
    assert "style=" not in drawing
