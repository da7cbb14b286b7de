"""A release is refused if it would be wrong; its version and its notes each stand in one place."""

import re
import tomllib
from pathlib import Path

from tests.house import sources
from tests.support.release import find_faults, notes
from tests.support.scratch import Scratch
from xnovu_poller import __version__

PROJECT = tomllib.loads(sources.text(Path("pyproject.toml")))["project"]
CHANGELOG = """\
# Changelog

## 1.2.4

Later.

## 1.2.3 (2026-11-30)

- First.

### Upgrade

- Second.

## 1.2.30 (2026-10-01)

Other.
"""


def test_a_release_has_a_commit_a_date_and_a_tag_of_its_own(scratch: Scratch) -> None:
    """Each fault is named, and the release is possible once they are corrected."""
    changelog = scratch.folder / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\n## 1.2.3 (unreleased)\n\n- First.\n")
    scratch.git("tag", "v1.2.3")
    dirty, undated = find_faults(scratch.folder, "1.2.3")
    assert "commit them" in dirty
    assert "no heading `## 1.2.3 (" in undated

    changelog.write_text(CHANGELOG)
    scratch.commit("release")
    [tagged] = find_faults(scratch.folder, "1.2.3")
    assert "v1.2.3 is at another commit" in tagged

    scratch.git("tag", "--force", "v1.2.3")
    assert list(find_faults(scratch.folder, "1.2.3")) == []
    assert len(list(find_faults(scratch.folder, "1.2.4"))) == 1
    assert len(list(find_faults(scratch.folder, "1.2"))) == 1


def test_the_notes_are_the_section_of_the_changelog(tmp_path: Path) -> None:
    """A version that begins alike is another version."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)

    assert notes(tmp_path, "1.2.3") == ("## 1.2.3 (2026-11-30)", "- First.\n\n### Upgrade\n\n- Second.\n\n")
    assert notes(tmp_path, "1.2") == ("", "")


def test_the_version_stands_in_one_place() -> None:
    """`pyproject.toml` reads it from the package; the changelog and the README name the same version."""
    assert "version" in PROJECT["dynamic"]
    assert notes(sources.ROOT, __version__)[1]
    assert set(re.findall(r"xnovu_poller-([\d.]+)-py3", sources.text(Path("README.md")))) == {__version__}


def test_the_metadata_are_complete() -> None:
    """An index and its readers need them; the licence is that of the file."""
    assert {
        "description",
        "readme",
        "license",
        "license-files",
        "requires-python",
        "authors",
        "keywords",
    } <= set(PROJECT)
    assert PROJECT["license"] == "MIT"
    assert sources.text(Path("LICENSE")).startswith("MIT License\n")
    assert all((sources.ROOT / name).exists() for name in [PROJECT["readme"], *PROJECT["license-files"]])
    assert not any(line.startswith("License ::") for line in PROJECT["classifiers"])
