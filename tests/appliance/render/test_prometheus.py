"""That Prometheus takes what we render, and that the rules are the table's.

That both fire on the same samples is tests/analytics/alerts/test_evaluate.py.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from jimbot.appliance import Appliance, TableError, load
from jimbot.appliance.render import RENDERERS, prometheus, render
from jimbot.appliance.render.prometheus import duration
from jimbot.appliance.rules import DEFINITIONS, rules
from jimbot.cli import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["render", "prometheus", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    checked = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(DEFINITIONS)} rules found" in checked.stdout


def test_the_table_has_the_thresholds_of_the_mission() -> None:
    found = {rule.name: rule for rule in rules(load())}
    for name, severity, above, threshold, for_s in (
        ("MemoryCritical", "critical", True, 0.9, 300),
        ("MemoryHigh", "warning", True, 0.75, 600),
        ("ApiRateHigh", "warning", True, 0.8, 60),
        ("ThroughputLow", "warning", False, 500, 900),
        ("GraphQuerySlow", "warning", True, 0.1, 300),
    ):
        rule = found[name]
        assert (rule.severity, rule.above, rule.threshold, rule.for_s) == (
            severity,
            above,
            threshold,
            for_s,
        )


def test_every_alert_has_its_runbook(appliance: Appliance) -> None:
    text = (ROOT / appliance.alerts.runbooks).read_text("utf-8")
    headings = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    for rule in rules(appliance):
        assert rule.name in headings, rule.name
        assert rule.runbook == f"docs/alerts.md#{rule.name.lower()}"
    for group in prometheus.rule_groups(appliance)["groups"]:
        for written in group["rules"]:
            assert written["annotations"]["runbook_url"].endswith(written["alert"].lower())


def test_a_threshold_for_nothing_or_none_for_an_alert_is_refused(
    raw_table: Callable[[], dict[str, Any]],
) -> None:
    table = raw_table()
    table["alerts"]["rules"]["Typo"] = table["alerts"]["rules"].pop("MemoryHigh")
    with pytest.raises(TableError, match="differ in: MemoryHigh, Typo"):
        rules(Appliance.model_validate(table))


@pytest.mark.parametrize("row", [{}, {"above": 1, "below": 2}])
def test_a_threshold_has_one_side(raw_table: Callable[[], dict[str, Any]], row: Any) -> None:
    table = raw_table()
    table["alerts"]["rules"]["MemoryHigh"] = {"severity": "warning", "for_s": 1, **row}
    with pytest.raises(ValueError, match="`above` a number or `below` one"):
        Appliance.model_validate(table)


def test_every_service_with_metrics_is_scraped(appliance: Appliance) -> None:
    config = prometheus.scrape_config(appliance, "staging")
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]
    }
    assert set(jobs) == {"jimbot-mcp", "jimbot-analytics", "jimbot-claude", "jimbot-trainer"}
    assert jobs["jimbot-mcp"] == [appliance.url("mcp").removeprefix("http://")]
    assert config["global"]["external_labels"] == {"environment": "staging"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (15, "15s"), (90, "90s"), (600, "10m"), (7200, "2h"), (0.5, "500ms")],
)
def test_durations_are_written_as_prometheus_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_everything_can_be_listed_and_shown(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["render", "list"]).stdout
    assert all(name in listed for name in RENDERERS)
    texts = render("prometheus", load(), "production")
    shown = CliRunner().invoke(main, ["render", "prometheus"]).stdout
    assert all(f"# --- {name}" in shown for name in texts)
    assert yaml.safe_load(texts["rules/jimbot.yml"])["groups"]
    assert CliRunner().invoke(main, ["render", "nothing"]).exit_code == 2
    out = tmp_path / "out"
    told = CliRunner().invoke(main, ["render", "prometheus", "--out", str(out), "--dry-run"])
    assert str(out / "prometheus.yml") in told.stdout
    assert not out.exists()
