"""RESULTS.md: what was found, on what, and how, out of results.json alone."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.speed.profiles import PROFILES
from benchmarks.speed.results import RATIOS, Found, Raw, Results, Spread, met, spreads
from benchmarks.speed.systems import systems

NONE = "-"

_HOW = """\
## How it is measured

- One PostgreSQL with default settings, one sink that answers 201 at once, and a fresh Temporal development server for
  each phase, all on the loopback of one machine, beside what is measured. CPU spent anywhere costs throughput.
- **Throughput**: a backlog of committed jobs, each with 600 bytes of JSON, waits in a fresh database, analysed and on disk.
  One worker drains it. The clock starts when the first few hundred jobs have arrived at the sink and stops when all
  have arrived *and* the database says that all are recorded: neither the filling nor the start of a worker is timed. (Ours
  is ready first, and the backlog is committed then, in one transaction.) Temporal's references have no backlog: 50
  workflows are kept in flight until all have ended.
- **Ours** is `xnovu worker start` with its default settings but the group size and the number of processes that the row
  names: each row is claimed, checked against a JSON Schema, rendered from a template, sent, and recorded SENT.
- **Every job is counted at the sink**: a figure stands only if each came exactly once.
- **Idle**: a worker that has nothing to do; one job at a time, at random gaps of 20 to 60 ms. Ours: from just before the
  `INSERT`, its commit included, until the notification arrives at the sink. The references: from just before the start of
  the workflow until the activity is entered.
- **Actions**: counted in Temporal's histories: a start, each attempt of an activity, and once for each workflow task the local
  activities that it ran.
- **Statements**: calls in `pg_stat_statements` for the database of an idle replica, BEGIN and COMMIT included, on a server of
  its own, for only there the extension is loaded. **Memory**: resident, of all processes of a worker.
- Peers run in the fastest way that their own documentation describes, in one process, at most 50 requests in flight; Python with
  uvloop and aiohttp, Node with undici.
- Medians of the rounds, with their range; every second round runs backwards. Ratios are computed from the medians.
  *Loop* is the time of a fixed loop before each measure: so much does the machine's own speed move.
"""


def render(results: Results) -> str:
    """Write the whole file."""
    found = spreads(results["raw"])
    parts = [
        "# Results\n",
        _opening(results["facts"]),
        "![Jobs per second, by system](results.svg)\n",
        "## Targets\n",
        "\n".join(_targets(results["ratios"])),
        "\n".join(_profiles(results["ratios"])),
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


def number(value: float) -> str:
    """Write a figure with three places that say something, and no more."""
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3  # noqa: PLR2004 - powers of ten
    return f"{value:,.{places}f}"


def verdict(found: Found) -> str:
    """Say whether a target was met."""
    return {True: "met", False: "**missed**", None: "not measured"}[met(found)]


def _opening(facts: Mapping[str, Any]) -> str:
    quick = " A quick run: every step is taken, but the figures are rough." if facts.get("quick") else ""
    return (
        f"Written by `make bench` on {facts['date']}: {facts['rounds']} rounds on {facts['cores']} cores"
        f" ({facts['cpu']}).{quick} Only ratios travel to other machines.\n"
    )


def _targets(ratios: Mapping[str, Found]) -> Iterator[str]:
    yield from _head("name", "what", "value", "target", "")
    for ratio in RATIOS:
        found = ratios[ratio.name]
        sign = "≥" if found["better"] == "higher" else "≤"
        value = NONE if found["value"] is None else number(found["value"])
        yield f"| `{ratio.name}` | {ratio.meaning} | {value} | {sign} {found['target']:g} | {verdict(found)} |"
    yield ""


def _profiles(ratios: Mapping[str, Found]) -> Iterator[str]:
    for name, said in PROFILES.items():
        if met(ratios[name]) is False:
            yield f"- `{name}`: {said}"
            yield ""


def _systems(found: Mapping[str, Spread]) -> Iterator[str]:
    yield from _head("system", "jobs/s", "idle p50, ms", "idle p99, ms")
    for system in systems(found):
        idle = [found.get(f"{system.idle}_{cut}_ms") for cut in ("p50", "p99")]
        cells = [_spread(each) for each in (found[system.figure], *idle)]
        name = f"**{system.label}**" if system.kind == "ours" else system.label
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _figures(found: Mapping[str, Spread]) -> Iterator[str]:
    """Give every figure that no system's row shows."""
    shown = {
        figure
        for system in systems(found)
        for figure in (system.figure, *(f"{system.idle}_{cut}_ms" for cut in ("p50", "p99")))
    }
    yield from _head("figure", "median (range)", "rounds")
    for name, spread in found.items():
        if name not in shown:
            yield f"| `{name}` | {_spread(spread)} | {spread.rounds} |"
    yield ""


def _failures(raw: Iterable[Raw]) -> Iterator[str]:
    failed = {one["measure"]: one["failed"] for one in raw if "failed" in one}
    if failed:
        yield "Not measured, or not in every round:\n"
        for name, reason in failed.items():
            yield f"- {name}: {' '.join(reason.split())}"
        yield ""


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _head("", "")
    for name, value in facts.items():
        told = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        yield f"| {name.replace('_', ' ')} | {told} |"
    yield ""


def _noise(raw: Iterable[Raw]) -> str:
    told = [(one["loop_ms"], one["stolen_percent"]) for one in raw if "loop_ms" in one]
    if not told:
        return ""
    loops, stolen = zip(*told, strict=True)
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
