"""How soon an idle peer has a job at the sink, enqueued one at a time."""

import asyncio
import json
from dataclasses import replace

from benchmarks.speed import exact
from benchmarks.speed.ours.idle import WARM, percentiles
from benchmarks.speed.peers.node import NotInstalled
from benchmarks.speed.peers.peer import Peer, PeerFailed
from benchmarks.speed.peers.table import PEERS
from benchmarks.speed.scene import Figures, Scene

_NEVER_ONE = "raw_skip_locked_bulk"
"""With one job at a time there is nothing to send in bulk."""


async def measure(scene: Scene) -> Figures:
    """Give the latencies of all peers; one that cannot be measured is told and left out."""
    figures: Figures = {}
    for name, peer in PEERS.items():
        if name == _NEVER_ONE:
            continue
        try:
            figures |= await latency(peer, scene)
        except (NotInstalled, PeerFailed, exact.Inexact) as fault:
            scene.tell(f"    {name} is left out: {fault}")
    return figures


async def latency(peer: Peer, scene: Scene) -> Figures:
    """Take the time from before a job is enqueued, its commit included, until it arrives.

    Raises:
        NotInstalled: the peer is not here and cannot be had.
        PeerFailed: it ended, or stayed behind.
        Inexact: a job came not exactly once.
    """
    empty = await peer.filled(scene, 0)
    order = replace(empty, jobs=WARM + scene.sizes.idle_samples)
    async with peer.draining(scene, empty):
        said = await asyncio.to_thread(peer.said, "trickle", order, scene.folder)
    await exact.check(scene.sink, order.names())
    begun: dict[str, float] = json.loads(said.splitlines()[-1])
    arrivals = await scene.sink.arrivals()
    waits = [arrivals[name] - begun[name] for name in order.names()]
    return percentiles(f"{peer.name}_idle", waits[WARM:])
