"""A pid file names a worker only while that worker runs."""

import os
from pathlib import Path

import pytest

from tests.support.programs import kill, read_until, running
from xnovu_poller.cli.worker.pid_file import find_start, hold, read, read_options
from xnovu_poller.errors import XnovuError

HOLDER = """
import sys, time
from pathlib import Path
from xnovu_poller.cli.worker.pid_file import hold
with hold(Path(sys.argv[1]), {}) as listening:
    listening()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_file_names_this_process(tmp_path: Path) -> None:
    """Only after it listens; at the end the file is removed, and only its owner could read it."""
    path = tmp_path / "worker.pid"

    with hold(path, {"dev": True, "enterprises": "z\u00fcrich,"}) as listening:
        assert read(path) is None
        listening()
        found = read(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text().splitlines()[0] == str(os.getpid())
        assert read_options(path) == {"dev": True, "enterprises": "z\u00fcrich,"}

    assert found is not None
    assert (found.pid, found.alive) == (os.getpid(), True)
    assert not path.exists()


def test_two_workers_cannot_hold_one_file(tmp_path: Path) -> None:
    """The second would hide the first from `xnovu worker stop`; a killed one holds nothing."""
    path = tmp_path / "worker.pid"
    with running(HOLDER, path) as holder:
        read_until(holder, "held")
        with pytest.raises(XnovuError, match="another worker holds this file"), hold(path, {}):
            pass
        found = read(path)
        assert found
        assert found.pid == holder.pid
        kill(holder)
        assert not found.alive

    assert path.exists()
    assert read(path) is None
    with hold(path, {}):
        pass


def test_a_process_that_got_the_id_later_is_not_named(tmp_path: Path) -> None:
    """Otherwise `stop` would end a stranger."""
    path = tmp_path / "worker.pid"
    path.write_text(f"{os.getpid()}\n{find_start(1)}\n{{}}\n")

    assert read(path) is None


@pytest.mark.parametrize("text", ["hello\n", "1\nx\n", "-1\nx\n", "12\n", "12\nx\n", "12\nx\ny\n"], ids=repr)
def test_another_file_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    """No signal follows from its numbers."""
    path = tmp_path / "worker.pid"
    path.write_text(text)

    with pytest.raises(XnovuError, match="was not written by `xnovu worker start`"):
        read(path)
    with pytest.raises(XnovuError, match="was not written by `xnovu worker start`"), hold(path, {}):
        pass
    assert path.read_text() == text


def test_the_options_of_another_user_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name a log file, which the restart would write."""
    path = tmp_path / "worker.pid"
    path.write_text(f'{os.getpid()}\n{find_start(1)}\n{{"log_file": "/etc/passwd"}}\n')
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(XnovuError, match="belongs to another user; restart the worker as that user"):
        read_options(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """In a folder where others write, it could lead to any file of ours."""
    (tmp_path / "ours").write_text("")
    (tmp_path / "pid").symlink_to(tmp_path / "ours")

    with pytest.raises(XnovuError, match="cannot be written"), hold(tmp_path / "pid", {}):
        pass


def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    """It names the path and the reason."""
    with (
        pytest.raises(XnovuError, match=r"cannot be written \(No such file"),
        hold(tmp_path / "no" / "pid", {}),
    ):
        pass
    assert read_options(tmp_path / "nothing") == {}
    with pytest.raises(XnovuError, match="cannot be read"):
        read(tmp_path)
    assert read(tmp_path / "nothing") is None
