"""How soon a job of an idle peer arrives at the sink, with a single job at a time."""

import asyncio
import json
from dataclasses import replace

from benchmarks.speed import exact
from benchmarks.speed.ours.idle import WARM, percentiles
from benchmarks.speed.peers.node import NotInstalled
from benchmarks.speed.peers.peer import Peer, PeerFailed
from benchmarks.speed.peers.table import PEERS
from benchmarks.speed.scene import Figures, Scene

_ONLY_BULK = "raw_skip_locked_bulk"
"""With a single job at a time there is nothing to send in bulk."""


async def measure(scene: Scene) -> Figures:
    """Return the latencies of all peers; if a peer cannot be measured, show why and leave it out."""
    figures: Figures = {}
    for name, peer in PEERS.items():
        if name == _ONLY_BULK:
            continue
        try:
            figures |= await latency(peer, scene)
        except (NotInstalled, PeerFailed, exact.Inexact) as fault:
            scene.show(f"    {name} is left out: {fault}")
    return figures


async def latency(peer: Peer, scene: Scene) -> Figures:
    """Measure the time from just before a job is enqueued, including its commit, until it arrives.

    Raises:
        NotInstalled: the peer is not installed and cannot be.
        PeerFailed: it ended, or was too slow.
        Inexact: a job did not arrive exactly once.
    """
    empty = await peer.filled(scene, 0)
    order = replace(empty, jobs=WARM + scene.sizes.idle_samples)
    async with peer.draining(scene, empty):
        output = await asyncio.to_thread(peer.run_step, "trickle", order, scene.folder)
    await exact.check(scene.sink, order.names())
    started_at: dict[str, float] = json.loads(output.splitlines()[-1])
    arrivals = await scene.sink.arrivals()
    waits = [arrivals[name] - started_at[name] for name in order.names()]
    return percentiles(f"{peer.name}_idle", waits[WARM:])
