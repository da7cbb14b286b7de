"""Tags follow the state of a checkout, in scratch repositories."""

from pathlib import Path

import pytest

from tests.support.scratch import Scratch
from xnovu_poller.cli.docker.tags import read_checkout
from xnovu_poller.errors import XnovuError


def test_the_tags_follow_the_commits(scratch: Scratch) -> None:
    """The nearest tag of a version counts, also if it is at an earlier commit."""
    first = read_checkout(scratch.folder)
    assert first.commit == scratch.git("rev-parse", "HEAD")
    assert (len(first.short), first.commit.startswith(first.short)) == (7, True)
    assert first.committed_at == Scratch.COMMITTED_AT
    assert (first.local_tag, first.pushed_tags) == (first.short, (first.short, "latest"))

    for name in ("v1.2.3", "notes", "v2-draft", "v1.2.3+linux"):
        scratch.git("tag", name)
    tagged = read_checkout(scratch.folder)
    assert tagged.pushed_tags == (first.short, "v1.2.3", "latest")
    assert tagged.version_is_here

    scratch.commit("later")
    later = read_checkout(scratch.folder)
    assert later.pushed_tags == (later.short, "v1.2.3", "latest")
    assert (later.short != first.short, later.version_is_here) == (True, False)
    scratch.git("tag", "--annotate", "--message=second", "v1.3.0-rc.1")
    assert read_checkout(scratch.folder).pushed_tags == (later.short, "v1.3.0-rc.1", "latest")
    assert read_checkout(scratch.folder).version_is_here


def test_an_image_of_changed_files_has_its_own_tag(scratch: Scratch) -> None:
    """New files count, ignored files do not."""
    (scratch.folder / ".gitignore").write_text("ignored\n")
    scratch.commit("ignore")
    (scratch.folder / "ignored").touch()
    assert not read_checkout(scratch.folder).dirty
    (scratch.folder / "new").touch()
    new = read_checkout(scratch.folder)
    assert (new.local_tag, new.pushed_tags) == (f"{new.short}-dirty", (new.short,))
    (scratch.folder / "new").unlink()
    (scratch.folder / "Dockerfile").write_text("FROM changed\n")
    assert read_checkout(scratch.folder).dirty


def test_a_tag_of_another_branch_does_not_count(scratch: Scratch) -> None:
    """Only a version that the commit contains is near."""
    scratch.git("switch", "--quiet", "--create", "other")
    scratch.commit("other")
    scratch.git("tag", "v9.0.0")
    scratch.git("switch", "--quiet", "main")

    assert read_checkout(scratch.folder).version is None


@pytest.mark.parametrize("prepare", [(), ("init", "--quiet")], ids=["no checkout", "no commit"])
def test_a_folder_without_a_commit_is_refused(
    tmp_path: Path, prepare: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence has git's reason and what to do."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if prepare:
        Scratch(tmp_path).git(*prepare)

    with pytest.raises(
        XnovuError, match=r"^docker: git cannot read this folder \(fatal: .+\); run the command in a"
    ):
        read_checkout(tmp_path)


def test_a_machine_without_git_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--tag` needs no git."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(XnovuError, match=r"git is not installed.*--tag"):
        read_checkout(tmp_path)
