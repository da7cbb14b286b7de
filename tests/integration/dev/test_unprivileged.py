"""The user that runs servers which refuse root, and the folders that this user may get."""

import os
from pathlib import Path

import pytest

from xnovu_poller.dev.unprivileged import can_reach, find_unprivileged_user, make_private_folder


def test_only_root_needs_another_user() -> None:
    """An ordinary user runs servers as itself."""
    user = find_unprivileged_user()
    assert (user is not None) == (os.geteuid() == 0)
    assert user is None or user.uid != 0


def test_a_folder_open_to_all_can_be_reached() -> None:
    """The root folder is open to all."""
    assert can_reach(find_unprivileged_user(), Path("/"))


def test_a_missing_folder_cannot_be_reached(tmp_path: Path) -> None:
    """The function answers and does not raise."""
    if find_unprivileged_user() is not None:
        assert not can_reach(find_unprivileged_user(), tmp_path / "nothing")


def test_a_folder_is_created_once(tmp_path: Path) -> None:
    """A second start finds its own folder."""
    make_private_folder(tmp_path / "own", find_unprivileged_user())
    make_private_folder(tmp_path / "own", find_unprivileged_user())
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """Somebody else could have made the link to get its target."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private_folder(tmp_path / "link", find_unprivileged_user())
