"""Alerts and dashboards ask only for metrics that exist, and each alert has its entry and its case."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.house import sources
from tests.house.test_links import anchors
from xnovu_poller import metrics

FOLDER = Path("deploy/prometheus")
RULES: list[dict[str, Any]] = yaml.safe_load(sources.text(FOLDER / "alerts.yml"))["groups"][0]["rules"]
CASES: list[dict[str, Any]] = yaml.safe_load(sources.text(FOLDER / "alerts_test.yml"))["tests"]
DASHBOARD: dict[str, Any] = json.loads(sources.text(Path("deploy/grafana/dashboard.json")))
QUERIES: list[str] = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
SEEDS = {
    "XNovuDown", "XNovuWorkerDown", "TemporalWorkerDown", "HighWorkflowFailureRate", "HighErrorRate", "NotificationBacklog",
}  # fmt: skip
"""Names that people know from the earlier system."""

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""

_METRIC = re.compile(r"\b(?:xnovu|process)_[a-z_]+")
_SELECTED = re.compile(r"\b(xnovu_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def exported() -> dict[str, dict[str, set[str]]]:
    """Return the name of each series, with its labels and the values that these have from the start."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in metrics.REGISTRY.collect():
        # A histogram without an observation has no bucket, if it has labels.
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def unknown(query: str) -> Iterator[str]:
    """Yield the metrics of a query that nobody exports, and the values of labels that none of them has."""
    series = exported()
    yield from (name for name in _METRIC.findall(query) if name not in series)
    for name, selectors in _SELECTED.findall(query):
        for label, _, values in _LABEL.findall(selectors):
            if label in SCRAPED:
                continue
            known = series.get(name, {}).get(label, set())
            yield from (f"{name}: {label}={value}" for value in values.split("|") if value not in known)


def test_alerts_ask_for_metrics_that_exist() -> None:
    """So an alert cannot be silent because of a name."""
    assert [fault for rule in RULES for fault in unknown(rule["expr"])] == []


def test_a_wrong_name_is_reported() -> None:
    """The metric, and the value of a label."""
    query = 'rate(xnovu_none_total[5m]) + xnovu_backlog{loop="none"} + xnovu_backlog{loop=~"new|failed"}'

    assert list(unknown(query)) == ["xnovu_none_total", "xnovu_backlog: loop=none"]


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    """Each panel has a query, and a place of its own."""
    assert [fault for query in QUERIES for fault in unknown(query)] == []
    assert [panel["title"] for panel in DASHBOARD["panels"] if not panel["targets"]] == []
    assert len({tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]}) == len(
        DASHBOARD["panels"]
    )


def test_each_alert_has_its_entry() -> None:
    """Its link leads to the heading of its name."""
    headings = anchors(sources.text(Path("docs/alerts.md")))
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES}

    assert links == {name: f"docs/alerts.md#{name.lower()}" for name in links}
    assert headings == {name.lower() for name in links} | {"alerts"}
    assert links.keys() >= SEEDS


def test_each_alert_has_its_case() -> None:
    """It fires in its own case, and not in a quiet deployment."""
    firing = {
        rule["alertname"] for case in CASES[:-1] for rule in case["alert_rule_test"] if rule["exp_alerts"]
    }
    quiet = {rule["alertname"] for rule in CASES[-1]["alert_rule_test"] if not rule["exp_alerts"]}

    assert firing == quiet == {rule["alert"] for rule in RULES}
