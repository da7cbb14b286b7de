"""The peers: how each is run, and the SQL that returns whether jobs are left."""

from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.speed.peers.peer import Peer
from benchmarks.speed.scene import Sizes


def _few(sizes: Sizes) -> int:
    return sizes.slow_peer_jobs


def _many(sizes: Sizes) -> int:
    return sizes.peer_jobs


def _most(sizes: Sizes) -> int:
    """Return enough jobs that even a peer with 10,000 jobs/s runs for some seconds."""
    return 2 * sizes.peer_jobs


_PEERS = (
    Peer(
        "procrastinate",
        "procrastinate",
        ("with_procrastinate.py",),
        "SELECT EXISTS (SELECT FROM procrastinate_jobs)",
        _few,
    ),
    Peer("pgqueuer", "pgqueuer", ("with_pgqueuer.py",), "SELECT EXISTS (SELECT FROM pgqueuer)", _many),
    Peer(
        "dbos",
        "dbos",
        ("with_dbos.py",),
        "SELECT EXISTS (SELECT FROM dbos.workflow_status WHERE status <> 'SUCCESS')",
        _few,
    ),
    Peer(
        "graphile_worker",
        "graphile-worker",
        ("with_graphile_worker.mjs",),
        "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)",
        _most,
    ),
    Peer(
        "pg_boss",
        "pg-boss",
        ("with_pg_boss.mjs",),
        "SELECT EXISTS (SELECT FROM pgboss.job WHERE state < 'completed')",
        _most,
    ),
    Peer(
        "raw_skip_locked",
        None,
        ("plain_loop.py", "single"),
        "SELECT EXISTS (SELECT FROM job WHERE status <> 'done')",
        _many,
    ),
    Peer(
        "raw_skip_locked_bulk",
        None,
        ("plain_loop.py", "bulk"),
        "SELECT EXISTS (SELECT FROM job WHERE status <> 'done')",
        _most,
    ),
)

PEERS: Mapping[str, Peer] = MappingProxyType({peer.name: peer for peer in _PEERS})
