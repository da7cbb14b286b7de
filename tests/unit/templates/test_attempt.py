"""A template is rendered, or its fault has a place."""

from xnovu_poller.lifecycle import Channel, Language
from xnovu_poller.templates.attempt import Failure, attempt
from xnovu_poller.templates.channels import Rendered
from xnovu_poller.templates.render import Renderer, TemplateSource

ENGLISH = Language("en", "UTC")


def of(body: str, subject: str | None = None, **parts: str) -> Rendered | Failure:
    """Try a text message with the name Ann."""
    source = TemplateSource(None, Channel.SMS, subject, body, parts=parts)
    return attempt(Renderer(), source, {"name": "Ann"}, ENGLISH)


def test_a_good_template_is_rendered() -> None:
    """With its subject, if it has one."""
    assert of("Hello ${name}") == Rendered(None, "Hello Ann")
    assert of("Hello", "Dear ${name}") == Rendered("Dear Ann", "Hello")


def test_a_fault_has_a_place() -> None:
    """The body comes first; a partial is named."""
    for body, subject, place in (
        ("a\n${age}", "${age}", ("body", None, 2)),
        ("Hello", "${age}", ("subject", None, 1)),
    ):
        failed = of(body, subject)
        assert isinstance(failed, Failure)
        assert (failed.text, failed.part, failed.line) == place
    unsafe = of("<%include file='signature'/>", signature="a\n ${__import__('os')}")
    assert isinstance(unsafe, Failure)
    assert (unsafe.text, unsafe.part, unsafe.line) == ("body", "signature", 2)
