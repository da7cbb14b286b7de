"""Where the time goes if a target is missed, computed from the figures of the same run and printed under the table."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.speed.results import NODE_PEERS, PYTHON_PEERS, best, fastest, number

Figures = Mapping[str, float]
Profile = Callable[[Figures], str]

_PROCESSES: Final = MappingProxyType({"worker": "worker", "postgres": "PostgreSQL", "temporal": "Temporal"})
_WRITES: Final = MappingProxyType(
    {"wal_bytes": "bytes of WAL", "commits": "commits", "dead_rows": "dead rows"}
)


def explain(name: str, figures: Figures) -> str | None:
    """Explain a missed target; return None if nothing is known about it.

    Args:
        name: of the ratio.
        figures: the medians of the run.
    """
    try:
        return PROFILES[name](figures)
    except KeyError:
        return None


def _cpu(name: str, figures: Figures) -> str:
    """Return the CPU time of a job, and of its processes."""
    parts = [
        f"{words} {number(figures[figure])}"
        for process, words in _PROCESSES.items()
        if (figure := f"{name}_{process}_cpu_ms") in figures
    ]
    return f"{number(figures[f'{name}_cpu_ms'])} ms of CPU ({', '.join(parts)})"


def _writes(name: str, figures: Figures) -> str:
    """Return what a job writes."""
    return ", ".join(f"{number(figures[f'{name}_{write}'])} {words}" for write, words in _WRITES.items())


def _beside_reference(reference: str) -> Profile:
    return lambda figures: (
        f"A row costs {_cpu('single', figures)}; a run of the reference, which has no rows,"
        f" {_cpu(reference, figures)}."
    )


def _beside_peer(ours: Callable[[Figures], str], peers: tuple[str, ...]) -> Profile:
    def text(figures: Figures) -> str:
        name, peer = ours(figures), fastest(figures, peers)
        return (
            f"A row costs {_cpu(name, figures)}, {_writes(name, figures)}; a job of {peer.replace('_', '-')}"
            f" {_cpu(peer, figures)}, {_writes(peer, figures)}."
        )

    return text


def _writing(figures: Figures) -> str:
    name = best(figures)
    return f"A row costs {_writes(name, figures)}; {number(100 * figures[f'{name}_hot_share'])} % of its updates are HOT."


def _idle(cut: str) -> Profile:
    return lambda figures: (
        f"From before the INSERT until the arrival at the sink: {number(figures[f'idle_{cut}_ms'])} ms. The reference: from"
        f" the start until its activity is entered {number(figures[f'local_activity_idle_{cut}_ms'])} ms, until the arrival"
        f" {number(figures[f'local_activity_idle_post_{cut}_ms'])} ms."
    )


def _claiming(figures: Figures) -> str:
    ours, raw = 1e5 / figures["claim_record_rows_s"], 1e5 / figures["raw_rows_s"]
    return (
        f"To claim and record 100 rows takes {number(ours)} ms; a claim by itself, among 10,000 due rows,"
        f" {number(figures['claim_ms_10k'])} ms. The plain loop takes {number(raw)} ms for both."
    )


_EVERY_PEER = (*PYTHON_PEERS, *NODE_PEERS)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "single_vs_local_activity": _beside_reference("local_activity"),
        "single_vs_five_activities": _beside_reference("five_activities"),
        "default_vs_fastest_python": _beside_peer(lambda _: "default", PYTHON_PEERS),
        "group_vs_fastest_python": _beside_peer(lambda _: "group100", PYTHON_PEERS),
        "group_vs_fastest": _beside_peer(best, _EVERY_PEER),
        "cpu_ms_per_notification_group": _beside_peer(best, _EVERY_PEER),
        "wal_bytes_per_notification_group": _writing,
        "idle_p50_vs_local_activity": _idle("p50"),
        "idle_p99_vs_local_activity": _idle("p99"),
        "claim_vs_raw": _claiming,
    }
)
"""By the name of the ratio."""
