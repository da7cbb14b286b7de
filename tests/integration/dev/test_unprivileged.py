"""Who runs servers that refuse root, and what is safe to give to that user."""

import os
from pathlib import Path

import pytest

from xnovu_poller.dev.unprivileged import can_reach, find_unprivileged_user, make_private_folder


def test_nobody_stands_in_for_root_alone() -> None:
    """An ordinary user runs servers as itself."""
    user = find_unprivileged_user()
    assert (user is not None) == (os.geteuid() == 0)
    assert user is None or user.uid != 0


def test_what_everybody_can_enter_can_be_reached() -> None:
    """The root folder is open to all."""
    assert can_reach(find_unprivileged_user(), Path("/"))


def test_what_is_not_there_cannot_be_reached(tmp_path: Path) -> None:
    """The question is answered, not raised."""
    if find_unprivileged_user() is not None:
        assert not can_reach(find_unprivileged_user(), tmp_path / "nothing")


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """A second start finds its own folder."""
    make_private_folder(tmp_path / "own", find_unprivileged_user())
    make_private_folder(tmp_path / "own", find_unprivileged_user())
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """Somebody else could have put it there, to be given what it points to."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private_folder(tmp_path / "link", find_unprivileged_user())
