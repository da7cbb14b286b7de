"""The files mention this project only, not the machine or the mirror on which they were made."""

import re
from collections.abc import Iterator

import pytest

from tests.house import sources

# In pieces, because this file is checked too.
_REGISTRIES = ("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.org", "proxy\\.go" + r"lang\.org")
_FORBIDDEN = (
    re.compile("|".join(_REGISTRIES)),
    re.compile(r"--(?:extra-)?index-url|^(?:extra-)?index-url\s*=", re.MULTILINE),
    re.compile(r"(?<![\w.~}/-])/(?:work|root|home/\w+)/"),
)


def faults(text: str) -> Iterator[str]:
    """Yield the places that show where the project was made."""
    for pattern in _FORBIDDEN:
        for found in pattern.finditer(text):
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {found.group()}"


def test_a_file_names_no_machine_and_no_registry() -> None:
    """Another person's checkout, mirror or home is no part of the project."""
    contents = {path: (sources.ROOT / path).read_bytes().decode(errors="replace") for path in sources.files()}

    assert [f"{path}, {fault}" for path, content in contents.items() for fault in faults(content)] == []


@pytest.mark.parametrize(
    "text",
    [
        "cd " + "/wo" + "rk/main",
        'path = "' + "/ro" + 'ot/.cache"',
        "https://" + "pypi" + ".org/simple",
        "--index" + "-url https://mirror.example",
        "see " + "/ho" + "me/someone/notes",
    ],
)
def test_a_trace_is_reported(text: str) -> None:
    """Each kind of trace is found."""
    assert len(list(faults(text))) == 1


def test_similar_paths_are_no_traces() -> None:
    """Only the exact folders count."""
    assert list(faults("docs/work/notes and ./root/x and https://novu.example/work/1 and $HOME/root/")) == []
