from xml.etree import ElementTree as ET

import pytest

from benchmarks.speed.chart import LEFT, Scale, draw
from benchmarks.speed.results import Raw, Spread

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*raw: Raw) -> ET.Element:
    """Draw a chart of raw figures, and parse it."""
    return ET.fromstring(draw({"facts": {}, "ratios": {}, "raw": [*raw]}))  # noqa: S314 - our own


def words(chart: ET.Element) -> list[str]:
    """Return the texts of a chart."""
    return [text.text or "" for text in chart.iter(f"{SVG}text")]


def test_a_chart_shows_every_measured_system() -> None:
    """It shows name and figure."""
    chart = drawn(
        {"figures": {"group100_rows_s": 4000.0, "pgqueuer_jobs_s": 2500.0, "claim_ms_10k": 3.0}},
        {"figures": {"group100_rows_s": 5000.0}},
    )

    assert chart.tag == f"{SVG}svg"
    assert {"xnovu-poller, groups of 100", "4,500", "pgqueuer", "2,500"} <= {*words(chart)}


def test_a_chart_of_nothing_is_a_chart() -> None:
    """Every peer may have failed."""
    assert drawn({"failed": "all of it"}).tag == f"{SVG}svg"


def test_all_decades_have_the_same_width() -> None:
    """The scale begins below the slowest system and ends above the fastest."""
    scale = Scale([Spread(20, 20, 20, 1), Spread(9000, 8000, 9500, 3)])

    assert (scale.first, scale.last) == (1, 4)
    assert scale.x(10) == LEFT
    assert scale.x(1000) - scale.x(100) == pytest.approx(scale.x(100) - scale.x(10))
