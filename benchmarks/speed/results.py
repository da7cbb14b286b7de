"""From raw figures to ratios: medians over the rounds, compared with the targets."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from benchmarks.speed.scene import Figures

Better = Literal["higher", "lower"]

PYTHON_PEERS = ("procrastinate", "pgqueuer", "dbos")
NODE_PEERS = ("graphile_worker", "pg_boss")

WAL_BASE = 4774
WAL_BASE_FROM = "2026-11-30 (commit 89b0a6b, groups of 500)"
"""What a notification wrote before its writes were reduced, measured in the same way."""


class Raw(TypedDict, total=False):
    """The result of a measure in a round: figures, or why there are none."""

    round: int
    measure: str
    seconds: float
    figures: Figures
    failed: str
    loop_ms: float
    stolen_percent: float


class Found(TypedDict):
    """A ratio in results.json; it has no value if an input is missing."""

    value: float | None
    target: float
    better: Better


class Results(TypedDict):
    """The contents of results.json."""

    facts: dict[str, Any]
    ratios: dict[str, Found]
    raw: list[Raw]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds."""

    median: float
    low: float
    high: float
    rounds: int


Compute = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with a target.

    Attributes:
        name: in results.json.
        meaning: the dividend and the divisor.
        value: computes it from the medians; raises KeyError if a figure is missing.
        target: the lowest or the highest value that meets it.
        better: whether a higher or a lower value is better.
    """

    name: str
    meaning: str
    value: Compute
    target: float
    better: Better


def _over(above: str, below: str) -> Compute:
    return lambda figures: figures[above] / figures[below]


def best(figures: Mapping[str, float]) -> str:
    """Return the prefix of our best group size and number of processes: the best median of rows/s, not the best round.

    Raise KeyError if none was measured.
    """
    tried = {
        name.removesuffix("_rows_s"): value
        for name, value in figures.items()
        if name == "group100_rows_s" or (name.startswith("sweep_") and name.endswith("_rows_s"))
    }
    if not tried:
        raise KeyError("group100_rows_s")
    return max(tried, key=tried.__getitem__)


def fastest(figures: Mapping[str, float], peers: Iterable[str]) -> str:
    """Return the fastest of some peers, as far as they were measured; raise KeyError if none was."""
    had = {peer: figures[f"{peer}_jobs_s"] for peer in peers if f"{peer}_jobs_s" in figures}
    if not had:
        raise KeyError(*peers)
    return max(had, key=had.__getitem__)


def _over_fastest(mode: Callable[[Mapping[str, float]], str], peers: Iterable[str]) -> Compute:
    return lambda figures: figures[f"{mode(figures)}_rows_s"] / figures[f"{fastest(figures, peers)}_jobs_s"]


def number(value: float) -> str:
    """Return a figure with three significant digits."""
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3  # noqa: PLR2004 - powers of ten
    return f"{value:,.{places}f}"


RATIOS = (
    Ratio(
        "single_vs_local_activity",
        "ours, one workflow a row ÷ a workflow with one local activity that POSTs",
        _over("single_rows_s", "local_activity_jobs_s"),
        0.9,
        "higher",
    ),
    Ratio(
        "single_vs_five_activities",
        "the same ÷ a workflow with five activities",
        _over("single_rows_s", "five_activities_jobs_s"),
        3,
        "higher",
    ),
    Ratio(
        "default_vs_fastest_python",
        "ours, default settings ÷ the fastest Python peer",
        _over_fastest(lambda _: "default", PYTHON_PEERS),
        1,
        "higher",
    ),
    Ratio(
        "group_vs_fastest_python",
        "ours, groups of 100 ÷ the fastest Python peer",
        _over_fastest(lambda _: "group100", PYTHON_PEERS),
        1.5,
        "higher",
    ),
    Ratio(
        "group_vs_fastest",
        "ours, best group size and process count ÷ the fastest peer of all",
        _over_fastest(best, (*PYTHON_PEERS, *NODE_PEERS)),
        1,
        "higher",
    ),
    Ratio(
        "cpu_ms_per_notification_group",
        "ms of CPU per notification of worker, PostgreSQL and Temporal, best group size and process count",
        lambda figures: figures[f"{best(figures)}_cpu_ms"],
        0.107,
        "lower",
    ),
    Ratio(
        "wal_bytes_per_notification_group",
        f"bytes of WAL per notification, the same; the target is 0.6 of the {WAL_BASE:,} of {WAL_BASE_FROM}",
        lambda figures: figures[f"{best(figures)}_wal_bytes"],
        round(0.6 * WAL_BASE),
        "lower",
    ),
    Ratio(
        "group_vs_single",
        "ours, groups of 100 ÷ one workflow a row",
        _over("group100_rows_s", "single_rows_s"),
        30,
        "higher",
    ),
    Ratio(
        "idle_p50_vs_local_activity",
        "idle commit-to-accepted, p50 ÷ one local activity's enqueue-to-run",
        _over("idle_p50_ms", "local_activity_idle_p50_ms"),
        1.8,
        "lower",
    ),
    Ratio(
        "idle_p99_vs_local_activity",
        "the same, p99",
        _over("idle_p99_ms", "local_activity_idle_p99_ms"),
        2.2,
        "lower",
    ),
    Ratio(
        "claim_vs_raw",
        "fair claim and record of batches of 100 ÷ a plain SKIP LOCKED loop without fairness",
        _over("claim_record_rows_s", "raw_rows_s"),
        0.7,
        "higher",
    ),
    Ratio(
        "claim_1m_vs_10k",
        "claim time at 1,000,000 due rows ÷ at 10,000",
        _over("claim_ms_1m", "claim_ms_10k"),
        1.5,
        "lower",
    ),
    Ratio(
        "claim_history_10m",
        "claim time with 10,000,000 SENT rows ÷ without",
        _over("claim_ms_history", "claim_ms_10k"),
        1.2,
        "lower",
    ),
    Ratio(
        "fair_wait_turns",
        "turns that a single row waits behind 1,000,000 of another enterprise",
        lambda figures: figures["fair_wait_turns"],
        2,
        "lower",
    ),
    Ratio(
        "fair_p95_seconds",
        "default settings: p95 from commit to arrival of another enterprise's rows behind 1,000,000 of one, seconds",
        lambda figures: figures["fair_p95_s"],
        1.5,
        "lower",
    ),
    Ratio(
        "writers_with_wakeup",
        "producers' inserts/s with the wake-up trigger ÷ without, 16 writers",
        _over("writers_with_s", "writers_without_s"),
        0.9,
        "higher",
    ),
    Ratio(
        "actions_per_notification_single",
        "Temporal actions per notification, one workflow a row",
        lambda figures: figures["actions_single"],
        2,
        "lower",
    ),
    Ratio(
        "actions_per_notification_group",
        "Temporal actions per notification, groups of 100",
        lambda figures: figures["actions_group"],
        0.05,
        "lower",
    ),
    Ratio(
        "memory_growth_mb",
        "resident memory after 200,000 rows - after 10,000, MB",
        lambda figures: figures["memory_growth_mb"],
        30,
        "lower",
    ),
    Ratio(
        "idle_statements_per_second",
        "statements per second of an idle replica",
        lambda figures: figures["idle_statements_s"],
        2,
        "lower",
    ),
)


def spreads(raw: Iterable[Raw]) -> dict[str, Spread]:
    """Return the median and the range of each figure over the rounds, in the order in which they were measured."""
    values: dict[str, list[float]] = {}
    for measured in raw:
        for name, value in measured.get("figures", {}).items():
            values.setdefault(name, []).append(value)
    return {
        name: Spread(statistics.median(each), min(each), max(each), len(each))
        for name, each in values.items()
    }


def ratios(raw: Iterable[Raw]) -> dict[str, Found]:
    """Compute every ratio from the medians."""
    figures = {name: spread.median for name, spread in spreads(raw).items()}
    return {
        ratio.name: {"value": _value(ratio, figures), "target": ratio.target, "better": ratio.better}
        for ratio in RATIOS
    }


def met(found: Found) -> bool | None:
    """Return whether a target was met; None if it was not measured."""
    value = found["value"]
    if value is None:
        return None
    return value >= found["target"] if found["better"] == "higher" else value <= found["target"]


def _value(ratio: Ratio, figures: Mapping[str, float]) -> float | None:
    try:
        return ratio.value(figures)
    except KeyError:
        return None
