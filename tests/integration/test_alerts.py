"""Prometheus' own tool accepts the alerts and their cases."""

import subprocess

import pytest

from tests.house import sources
from tests.support.prometheus import promtool

FOLDER = sources.ROOT / "deploy/prometheus"


@pytest.mark.parametrize(
    "command", [("test", "rules", "alerts_test.yml"), ("check", "config", "prometheus.yml")], ids=" ".join
)
def test_promtool_accepts(command: tuple[str, ...]) -> None:
    """Each alert fires in its case, and none in a quiet deployment."""
    tool = promtool()
    if tool is None:
        pytest.fail("promtool is missing: run `make promtool`", pytrace=False)

    checked = subprocess.run([tool, *command], cwd=FOLDER, check=False, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr
