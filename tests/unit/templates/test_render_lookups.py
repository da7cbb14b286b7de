"""The cache of compiled templates counts its lookups."""

from xnovu_poller.lifecycle import Channel
from xnovu_poller.templates.render import Renderer, TemplateSource


def test_lookups_are_counted_together() -> None:
    """The first use of a text compiles it, and the others find it; each is counted once."""
    renderer = Renderer()
    for name in ("Ada", "Grace", "Edsger"):
        renderer.render(TemplateSource("acme", Channel.SMS, None, "${name}"), {"name": name})

    assert renderer.take_lookups() == (2, 1)
    assert renderer.take_lookups() == (0, 0)
