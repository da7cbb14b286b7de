"""RESULTS.md: the results, the conditions and the method, from results.json."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.speed.profiles import explain
from benchmarks.speed.results import RATIOS, Found, Raw, Results, Spread, met, number, spreads
from benchmarks.speed.systems import systems

NONE = "-"

_COSTS = ("CPU ms", "WAL bytes", "commits", "dead rows", "HOT")
"""The heads of what a job costs, in the order of `COSTS`."""

_HOW = """\
## How it is measured

- A PostgreSQL with default settings, a sink that answers 201 at once, and a fresh Temporal development server for each
  phase run on the loopback of the same machine as the measured system. So CPU that any of them uses costs throughput.
- **Throughput**: a backlog of committed jobs, each with 600 bytes of JSON, waits in a fresh database, analysed and on disk.
  A single worker drains it. The clock starts when the first few hundred jobs have arrived at the sink, and stops when all
  jobs have arrived *and* the database shows that all are recorded. So the time does not include filling the queue and
  starting a worker. (Our worker is ready before the backlog is committed, in one transaction.) Temporal's references have
  no backlog: 50 workflows are kept in flight until all have ended.
- **Ours** is `xnovu worker start` with default settings, except for the group size and the number of processes that the row
  names; *default settings* are all of them. Each row is claimed, checked against a JSON Schema, rendered from a template, sent, and recorded SENT.
- **The sink counts every job**: a figure is valid only if each job arrived exactly once.
- **Idle**: a worker that has nothing to do gets a single job at a time, at random gaps of 20 to 60 ms. Ours: from just before
  the `INSERT`, including its commit, until the notification arrives at the sink. The references: from just before the start
  of the workflow until the activity is entered.
- **What a job costs**: *CPU* is of the worker, PostgreSQL and Temporal, and not of the sink: ours from the commit of the
  backlog on, because claims run ahead of the clock; the others' while the clock runs, without the start of their worker. *WAL*,
  *commits* and *dead rows* (updated or deleted) are PostgreSQL's own counts from just before the backlog is committed (peers:
  before their worker starts) until the worker has stopped; *HOT* is the share of the updates that changed no index. The WAL has
  the images of pages that are written for the first time since the checkpoint after the filling.
- **Actions**: counted in Temporal's histories: a start, each attempt of an activity, and, once for each workflow task, the
  local activities that it ran.
- **Statements**: calls in `pg_stat_statements` for the database of an idle replica, including BEGIN and COMMIT, on a separate
  server that loads the extension. **Memory**: resident, of all processes of a worker.
- Peers run in the fastest way that their own documentation describes, in a single process, with at most 50 requests in
  flight: Python with uvloop and aiohttp, Node with undici.
- Figures are medians of the rounds, with their range; every second round runs in reverse order. Ratios are computed from the
  medians. *Loop* is the time of a fixed loop before each measure; it shows how much the speed of the machine varies.
"""


def render(results: Results) -> str:
    """Return the whole file."""
    found = spreads(results["raw"])
    parts = [
        "# Results\n",
        _opening(results["facts"]),
        "![Jobs per second, by system](results.svg)\n",
        "## Targets\n",
        "\n".join(_targets(results["ratios"])),
        "\n".join(_profiles(results["ratios"], {name: spread.median for name, spread in found.items()})),
        "## Systems\n",
        "\n".join(_systems(found)),
        "## Figures\n",
        "\n".join(_figures(found)),
        "\n".join(_failures(results["raw"])),
        "## Machine\n",
        "\n".join(_facts(results["facts"])),
        _noise(results["raw"]),
        _HOW,
    ]
    return "\n".join(part for part in parts if part)


def verdict(found: Found) -> str:
    """Return whether a target was met, in words."""
    return {True: "met", False: "**missed**", None: "not measured"}[met(found)]


def _opening(facts: Mapping[str, Any]) -> str:
    quick = " A quick run: every measure was run, but the figures are rough." if facts.get("quick") else ""
    return (
        f"Written by `make bench` on {facts['date']}: rounds: {facts['rounds']}, cores: {facts['cores']}"
        f" ({facts['cpu']}).{quick} Only the ratios apply to other machines.\n"
    )


def _targets(ratios: Mapping[str, Found]) -> Iterator[str]:
    yield from _head("name", "what", "value", "target", "")
    for ratio in RATIOS:
        found = ratios[ratio.name]
        sign = "≥" if found["better"] == "higher" else "≤"
        value = NONE if found["value"] is None else number(found["value"])
        yield f"| `{ratio.name}` | {ratio.meaning} | {value} | {sign} {found['target']:g} | {verdict(found)} |"
    yield ""


def _profiles(ratios: Mapping[str, Found], figures: Mapping[str, float]) -> Iterator[str]:
    for name, found in ratios.items():
        if met(found) is False and (profile := explain(name, figures)):
            yield f"- `{name}`: {profile}"
            yield ""


def _systems(found: Mapping[str, Spread]) -> Iterator[str]:
    yield from _head("system", "jobs/s", "idle p50, ms", "idle p99, ms", *_COSTS)
    for system in systems(found):
        cells = [_spread(found.get(name)) for name in system.columns]
        name = f"**{system.label}**" if system.kind == "ours" else system.label
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _figures(found: Mapping[str, Spread]) -> Iterator[str]:
    """Return the figures that no row of a system shows."""
    shown = {name for system in systems(found) for name in system.columns}
    yield from _head("figure", "median (range)", "rounds")
    for name, spread in found.items():
        if name not in shown:
            yield f"| `{name}` | {_spread(spread)} | {spread.rounds} |"
    yield ""


def _failures(raw: Iterable[Raw]) -> Iterator[str]:
    failed = {measured["measure"]: measured["failed"] for measured in raw if "failed" in measured}
    if failed:
        yield "Not measured, or not in every round:\n"
        for name, reason in failed.items():
            yield f"- {name}: {' '.join(reason.split())}"
        yield ""


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _head("", "")
    for name, value in facts.items():
        text = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        yield f"| {name.replace('_', ' ')} | {text} |"
    yield ""


def _noise(raw: Iterable[Raw]) -> str:
    noise = [(measured["loop_ms"], measured["stolen_percent"]) for measured in raw if "loop_ms" in measured]
    if not noise:
        return ""
    loops, stolen = zip(*noise, strict=True)
    return (
        f"Loop: {min(loops):.0f} to {max(loops):.0f} ms. Taken by the host during a measure: up to"
        f" {max(stolen):.1f} % of the machine.\n"
    )


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return NONE
    if spread.rounds == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)} to {number(spread.high)})"


def _head(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
