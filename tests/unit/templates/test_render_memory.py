"""How much memory the cache of compiled templates takes."""

import gc
import tracemalloc

from tests.unit.templates.test_render import DRILL, template
from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.render import Renderer


def test_thousands_of_templates_take_no_more_memory_than_was_reckoned() -> None:
    """The weight of a compiled template is not less than its memory, so the bound of the cache is one of memory."""
    bound, rows = 200_000, "% for floor in payload.building.floors:\n<b>${floor.name}</b> ${name}\n% endfor\n"
    sources = [template(f"{number}\n{rows * 3}", Channel.EMAIL) for number in range(150)]
    renderer = Renderer(cached_bytes=bound)
    Renderer().render(sources[0], DRILL)
    tracemalloc.start()
    try:
        for source in sources:
            renderer.render(source, DRILL)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert bound / 4 < kept < bound
