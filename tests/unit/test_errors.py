"""The tree at the head of errors/ is the tree of classes."""

import re
from collections.abc import Iterator
from uuid import UUID

from xnovu_poller import errors
from xnovu_poller.errors import XnovuError

_BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)(?P<rest>.*)$")


def drawn() -> dict[str, tuple[str, bool]]:
    """Read the drawing: each class with its parent, and whether it is marked retryable."""
    parents = ["XnovuError"]
    tree: dict[str, tuple[str, bool]] = {}
    for line in (errors.__doc__ or "").splitlines():
        if branch := _BRANCH.match(line):
            depth = len(branch["indent"]) // 4
            tree[branch["name"]] = (parents[depth], branch["rest"].endswith(" retryable"))
            parents[depth + 1 :] = [branch["name"]]
    return tree


def below(kind: type[XnovuError]) -> Iterator[type[XnovuError]]:
    """Return the classes of errors/ under a class, at any depth."""
    for child in kind.__subclasses__():
        if child.__module__.startswith(errors.__name__):
            yield child
            yield from below(child)


OF_THE_CONTRACT: dict[type[XnovuError], str] = {errors.PayloadInvalid: "validation_error"}
"""Codes that programs outside already use."""


def test_the_drawing_is_the_tree() -> None:
    """Each class stands under its parent, and is marked if another try may help."""
    assert drawn() == {
        kind.__name__: (kind.__mro__[1].__name__, kind.retryable) for kind in below(XnovuError)
    }


def test_each_error_has_its_own_code() -> None:
    """Metrics, logs and Temporal name an error by its code: the class's name in snake case, except for the contract's codes."""
    for kind in below(XnovuError):
        by_name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        assert kind.code == OF_THE_CONTRACT.get(kind, by_name)


def test_all_faults_are_in_one_sentence() -> None:
    """The last line of a log is often all that people read."""
    assert (
        str(errors.ConfigError(["A: is not set", "B: is not set"]))
        == "settings: A: is not set; B: is not set"
    )


def test_the_error_of_a_database_without_a_schema_names_the_command() -> None:
    """An operator can run it without reading the manual."""
    assert str(errors.SchemaBehind(None, "0001_initial")) == (
        "database: its schema is at no migration, this version needs 0001_initial; run `xnovu db upgrade`"
    )


def test_the_error_of_a_copied_database_names_both_ways_out() -> None:
    """A person has to decide, and must not have to look anything up."""
    assert str(errors.DeploymentDisputed(UUID("12345678-9abc-4def-8123-456789abcdef"), "a sign")) == (
        "database: it is a copy of the database of deployment 12345678 (a sign);"
        " run `xnovu db new-deployment` if the original is still in use,"
        " or `xnovu db keep-deployment` if this copy has replaced it"
    )
