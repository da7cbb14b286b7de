"""Which templates a notification needs, and which errors those have that cannot be used."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.support.held import held, workflow
from xnovu_poller.delivery.bytes_in_flight import MEGABYTE
from xnovu_poller.delivery.words import Choice, split, template_keys, to_read, to_source
from xnovu_poller.errors import TemplateError, TemplateFailed
from xnovu_poller.lifecycle import Attempt, Channel, Hold, Language, WorkflowType
from xnovu_poller.store.enterprises import Enterprise
from xnovu_poller.store.templates import MOST_PARTS, MOST_SOURCE_BYTES, Template, TemplateKey, TemplateVersion
from xnovu_poller.templates.render import Renderer, TemplateSource

EMAIL, SMS, IN_APP = Channel.EMAIL, Channel.SMS, Channel.IN_APP
AT = datetime(2030, 1, 1, tzinfo=UTC)


def version(number: int, size: int = 1) -> TemplateVersion:
    """Return the only version of a template."""
    return TemplateVersion(number, AT, size)


def test_a_static_workflow_needs_no_template_unless_it_names_one() -> None:
    """Novu holds its text. A template applies only to its own channel, and only if the notification uses it."""
    static = workflow(channels=[EMAIL, SMS], templates={"SMS": "short", "PUSH": "never"})

    assert template_keys(held(), workflow()) == {}
    assert template_keys(held(), static) == {SMS: "short"}


def test_a_dynamic_workflow_needs_a_template_for_each_channel() -> None:
    """Also for a channel for which it names none: such a notification ends DEAD."""
    dynamic = workflow(type=WorkflowType.DYNAMIC, channels=[EMAIL, IN_APP], templates={"EMAIL": "long"})

    assert template_keys(held(), dynamic) == {EMAIL: "long", IN_APP: ""}
    assert template_keys(held(channels=[EMAIL]), dynamic) == {EMAIL: "long"}


def test_a_template_comes_with_its_defaults() -> None:
    """Their numbers keep their digits."""
    read = {1: Template(version(1), "acme", EMAIL, "S", "B", '{"n": 1.10}')}

    source = to_source("welcome", {"welcome": version(1)}, read)

    assert isinstance(source, TemplateSource)
    assert (source.owner, source.subject, source.body) == ("acme", "S", "B")
    assert repr(source.defaults["n"]) == repr(Decimal("1.10"))


def test_a_template_that_its_own_part_includes_is_a_circle() -> None:
    """It is there, so the error must not call it missing."""
    bodies = {"a": '<%include file="b"/>', "b": '<%include file="a"/>'}
    numbered = dict(zip(bodies, (version(1), version(2)), strict=True))
    read = {each.id: Template(each, None, EMAIL, None, bodies[name]) for name, each in numbered.items()}
    source = to_source("a", numbered, read)
    assert isinstance(source, TemplateSource)

    with pytest.raises(TemplateFailed, match="b > a > b is a circle"):
        Renderer().render(source, {})


@pytest.mark.parametrize(
    ("parts", "read", "sentence"),
    [
        ({"a": version(1)}, {}, "it was deleted meanwhile"),
        (
            {"a": version(1), "b": version(2, MOST_SOURCE_BYTES)},
            {},
            "1048577 bytes with its layouts and partials, more than 1048576",
        ),
        ({"a": version(1)}, {1: Template(version(1), None, EMAIL, None, "B", "[" * 9000)}, "defaults"),
        (
            {"a": version(1), **{str(number): version(number + 2) for number in range(MOST_PARTS + 1)}},
            {
                number: Template(version(number), None, EMAIL, None, "B")
                for number in range(1, MOST_PARTS + 3)
            },
            "more than 64 layouts and partials",
        ),
    ],
    ids=["deleted", "too large", "unreadable defaults", "too many parts"],
)
def test_a_template_that_cannot_be_used_is_an_error_of_its_own(
    parts: dict[str, TemplateVersion], read: dict[int, Template], sentence: str
) -> None:
    """It is raised for each of its notifications, and no other."""
    found = to_source("a", parts, read)

    assert isinstance(found, TemplateError)
    assert sentence in str(found)


def test_a_group_is_split_by_the_texts_that_it_needs() -> None:
    """A text that several notifications share counts once; a refused template is not read, so it does not count."""
    sizes = {1: {}, 2: {1: 900_000}, 3: {1: 900_000}, 4: {2: 2 * MEGABYTE}}
    sizes |= {number: {number: MEGABYTE} for number in range(5, 13)}
    choices = {}
    for number, own in sizes.items():
        key = TemplateKey("acme", str(number), EMAIL, "en")
        parts = {str(id_): version(id_, size) for id_, size in own.items()}
        choices[number] = Choice(Enterprise("acme"), Language("en", "UTC"), {EMAIL: key}, {key: parts})

    group = [(held(hold=Hold(Attempt(number, 1), AT)), workflow()) for number in [*sizes, 13]]
    found = [[each.hold.notification_id for each, _ in part] for part in split(group, choices)]

    assert found == [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [12, 13]]
    assert to_read({"4": version(2, 2 * MEGABYTE)}) == {}
