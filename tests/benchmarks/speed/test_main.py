import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.speed.__main__ import NAMES, speed
from benchmarks.speed.results import Raw, Results

RAW: list[Raw] = [
    {"round": 1, "measure": "single", "figures": {"single_rows_s": 50.0, "group100_rows_s": 2000.0}}
]
FACTS = {"date": "2030-01-02", "rounds": 1, "cores": 2, "cpu": "a fast one"}


def test_all_files_can_be_written_again_from_the_raw_figures(tmp_path: Path) -> None:
    """Ratios, report and chart need no new measurement."""
    results: Results = {"facts": FACTS, "ratios": {}, "raw": RAW}
    (tmp_path / "results.json").write_text(json.dumps(results))

    ran = CliRunner().invoke(speed, ["--render", "--into", str(tmp_path)])

    assert (ran.exit_code, ran.output) == (0, "")
    rewritten = json.loads((tmp_path / "results.json").read_text())
    assert rewritten["ratios"]["group_vs_single"] == {"value": 40.0, "target": 30, "better": "higher"}
    assert "| 40.0 | ≥ 30 | met |" in (tmp_path / "RESULTS.md").read_text()
    assert (tmp_path / "results.svg").read_text().startswith("<svg")


def test_an_unknown_name_is_refused() -> None:
    """The error lists the known names."""
    ran = CliRunner().invoke(speed, ["--only", "single,nothing"])

    assert ran.exit_code == 2
    assert f"nothing: unknown; choose from {', '.join(NAMES)}" in " ".join(ran.output.split())
