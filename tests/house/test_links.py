"""Links between documents lead somewhere, and every page can be reachable from the README."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.house import sources

DOCUMENTS: Mapping[Path, str] = {path: sources.text(path) for path in sources.files() if path.suffix == ".md"}

_CODE = re.compile(r"^```.*?^```|`[^`]*`", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the relative links of a document, without those in code."""
    return [link for link in _LINK.findall(_CODE.sub("", text)) if "://" not in link]


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_BLOCK.sub("", text)):
        words = re.sub(r"\]\([^)]*\)", "", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found[anchor] = found.get(anchor, 0) + 1
    return {
        anchor if not number else f"{anchor}-{number}" for anchor in found for number in range(found[anchor])
    }


def target(path: Path, link: str) -> Path:
    """Return the file or folder that a link of a document names, relative to the root."""
    name = link.partition("#")[0]
    place = (sources.ROOT / path.parent / name).resolve() if name else sources.ROOT / path
    return place.relative_to(sources.ROOT.resolve())


def faults(path: Path, documents: Mapping[Path, str]) -> Iterator[str]:
    """Return the links of a document that lead nowhere."""
    for link in links(documents[path]):
        place, anchor = target(path, link), link.partition("#")[2]
        if place not in documents and not (sources.ROOT / place).exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in anchors(documents.get(place, "")):
            yield f"{link}: no such heading"


def reachable(start: Path, documents: Mapping[Path, str]) -> set[Path]:
    """Return the documents that links lead to; a link to a folder leads to all in it."""
    found, left = {start}, [start]
    while left:
        path = left.pop()
        for place in (target(path, link) for link in links(documents[path])):
            for linked in {each for each in documents if place in {each, each.parent}} - found:
                found.add(linked)
                left.append(linked)
    return found


def test_links_lead_somewhere() -> None:
    """Each file, folder and heading exists."""
    assert [f"{path}, {fault}" for path in DOCUMENTS for fault in faults(path, DOCUMENTS)] == []


def test_every_page_is_reachable_from_the_readme() -> None:
    """Nobody finds a page without a link."""
    pages = {path for path in DOCUMENTS if path.parts[0] == "docs"}

    assert pages - reachable(Path("README.md"), DOCUMENTS) == set()
    assert len(pages) > 10


@pytest.mark.parametrize("link", ["docs/none.md", "#none", "docs/a.md#none", "none/"])
def test_a_broken_link_is_reported(link: str) -> None:
    """The faults: a file, a heading of the same page, a heading of another page, a folder."""
    documents = {Path("README.md"): f"# A\n\n[a]({link})\n", Path("docs/a.md"): "# A title\n"}

    assert len(list(faults(Path("README.md"), documents))) == 1


def test_a_good_link_passes() -> None:
    """Links from folders work too, and links in code are ignored."""
    documents = {
        Path(
            "README.md"
        ): "# The `x`, or y\n\n[a](docs/a.md#a-title) [b](#the-x-or-y) `[c](none)` [d](https://d.example)\n",
        Path("docs/a.md"): "# A title\n\n```sh\n# none\n```\n\n[up](../README.md#the-x-or-y)\n",
    }

    assert [list(faults(path, documents)) for path in documents] == [[], []]
    assert anchors("# A\n\n## A\n") == {"a", "a-1"}
    assert reachable(Path("README.md"), documents) == set(documents)
