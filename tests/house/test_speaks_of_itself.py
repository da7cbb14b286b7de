"""What is kept here speaks of this project alone, not of the machine or the mirror it was made with."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import sources

# In pieces, for this file is read too.
_REGISTRIES = ("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.org", "proxy\\.go" + r"lang\.org")
_FORBIDDEN = (
    re.compile("|".join(_REGISTRIES)),
    re.compile(r"--(?:extra-)?index-url|^(?:extra-)?index-url\s*=", re.MULTILINE),
    re.compile(r"(?<![\w.~}/-])/(?:work|root|home/\w+)/"),
)


def faults(text: str) -> Iterator[str]:
    """Give the places that tell where this was made."""
    for pattern in _FORBIDDEN:
        for found in pattern.finditer(text):
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {found.group()}"


@pytest.mark.parametrize("path", sources.files(), ids=str)
def test_a_file_names_no_machine_and_no_registry(path: Path) -> None:
    """Someone else's checkout, mirror and home are not ours."""
    told = (sources.ROOT / path).read_bytes().decode(errors="replace")

    assert list(faults(told)) == []


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
def test_a_trace_would_be_seen(text: str) -> None:
    """Each kind of trace is one."""
    assert len(list(faults(text))) == 1


def test_paths_of_our_own_are_none() -> None:
    """Folders that only sound alike are left alone."""
    assert list(faults("docs/work/notes and ./root/x and https://novu.example/work/1 and $HOME/root/")) == []
