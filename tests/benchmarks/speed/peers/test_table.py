import ast
import json
import re
import subprocess

import pytest

from benchmarks.speed.peers import node
from benchmarks.speed.peers.peer import Peer
from benchmarks.speed.peers.table import PEERS
from benchmarks.speed.scene import Sizes

PROGRAMS = sorted({peer.program[0] for peer in PEERS.values()})


def package() -> dict[str, dict[str, str]]:
    """Read package.json."""
    read: dict[str, dict[str, str]] = json.loads((node.FOLDER / "package.json").read_text())
    return read


def test_the_peers_are_those_that_a_user_would_choose() -> None:
    """Each has a figure in the results."""
    assert {peer.figure for peer in PEERS.values()} == {
        "procrastinate_jobs_s",
        "pgqueuer_jobs_s",
        "dbos_jobs_s",
        "graphile_worker_jobs_s",
        "pg_boss_jobs_s",
        "raw_skip_locked_jobs_s",
        "raw_skip_locked_bulk_jobs_s",
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_valid_syntax(program: str) -> None:
    """Python or Node can parse it without the packages that it imports."""
    path = node.FOLDER / program
    if path.suffix == ".py":
        ast.parse(path.read_text())
    else:
        subprocess.run([node.node(), "--check", path], check=True, capture_output=True)


def test_every_program_belongs_to_a_peer() -> None:
    """No program is left over."""
    beside = [path.name for pattern in ("with_*", "plain_loop.py") for path in node.FOLDER.glob(pattern)]

    assert sorted(beside) == PROGRAMS


def test_every_package_in_node_has_one_version() -> None:
    """package.json names it, and the lock has the same version."""
    wanted = package()["dependencies"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: node.version(name) for name in wanted} == wanted


def test_the_lock_names_no_registry() -> None:
    """Everybody uses their own registry and checks the packages by digest."""
    packages = json.loads((node.FOLDER / "package-lock.json").read_text())["packages"]
    locked = [entry for place, entry in packages.items() if place]

    assert not any("resolved" in entry for entry in locked)
    assert all("integrity" in entry for entry in locked)


@pytest.mark.parametrize(
    "peer", [peer for peer in PEERS.values() if peer.in_node], ids=lambda peer: peer.name
)
def test_a_peer_in_node_is_in_the_lock(peer: Peer) -> None:
    """Its version is known before it is installed."""
    assert peer.version() == package()["dependencies"][peer.package or ""]


def test_a_missing_package_is_named() -> None:
    """The results list the peers that were left out."""
    peer = Peer(
        "missing", "no-such-package-of-ours", ("with_it.py",), "SELECT false", lambda sizes: sizes.warm
    )

    with pytest.raises(node.NotInstalled, match="no-such-package-of-ours"):
        peer.version()


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_enough_jobs_are_timed(peer: Peer) -> None:
    """Each peer has more jobs than those before the clock starts."""
    assert peer.jobs(Sizes.full()) >= 5 * Sizes.full().warm
    assert peer.jobs(Sizes.quick()) > Sizes.quick().warm


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_a_peers_settings_are_described(peer: Peer) -> None:
    """Each peer describes them in one line."""
    assert re.fullmatch(r"\S[^/\"]{40,}\.", peer.knobs)
