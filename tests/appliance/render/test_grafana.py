from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jimbot.appliance import load
from jimbot.appliance.render import render
from scripts.metrics_catalogue import entries

_METRIC = re.compile(r"\bjimbot_\w+")
# What the mission wants watched, and the metrics that show it.
MISSION = {
    "memory, CPU and GPU per service": (
        "jimbot_service_memory_bytes",
        "jimbot_service_cpu_seconds_total",
        "jimbot_service_gpu_memory_bytes",
    ),
    "MCP event latency": ("jimbot_mcp_event_seconds",),
    "graph query time": ("jimbot_graph_query_seconds",),
    "training throughput": ("jimbot_trainer_steps_per_second",),
    "Claude usage and cost": ("jimbot_claude_requests_total", "jimbot_claude_cost_dollars_total"),
    "games per hour": ("jimbot_games_per_hour",),
    "win rate trend": ("jimbot_win_ratio",),
    "ante reached": ("jimbot_ante_reached_mean",),
    "strategy effectiveness": ("jimbot_policy_wins_total", "jimbot_joker_wins_total"),
    "storage growth": ("jimbot_storage_bytes",),
    "cost per game": ("jimbot_cost_per_game_dollars",),
}


@pytest.fixture(scope="module")
def dashboards() -> list[dict[str, Any]]:
    texts = render("grafana", load(), "production")
    return [json.loads(text) for name, text in texts.items() if name.endswith(".json")]


def _queries(dashboards: list[dict[str, Any]]) -> list[str]:
    return [
        target["expr"]
        for dashboard in dashboards
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def test_every_query_asks_for_metrics_that_there_are(dashboards: list[dict[str, Any]]) -> None:
    known = {}
    for entry in entries():
        known[entry.name] = entry.kind
        if entry.kind == "histogram":
            known |= {f"{entry.name}_{part}": part for part in ("bucket", "sum", "count")}
    for query in _queries(dashboards):
        for name in _METRIC.findall(query):
            assert name in known, query
        for name in re.findall(r"rate\((\w+)", query):
            assert known[name] in ("counter", "bucket"), query  # a rate of a gauge says nothing


def test_all_that_the_mission_wants_watched_has_a_panel(dashboards: list[dict[str, Any]]) -> None:
    shown = " ".join(_queries(dashboards))
    for what, metrics in MISSION.items():
        assert all(metric in shown for metric in metrics), what


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_every_query_is_promql(dashboards: list[dict[str, Any]], tmp_path: Path) -> None:
    rules = [
        {"record": f"q:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(_queries(dashboards))
    ]
    document = {"groups": [{"name": "queries", "rules": rules}]}
    (tmp_path / "queries.yml").write_text(yaml.safe_dump(document))
    checked = subprocess.run(
        ["promtool", "check", "rules", "queries.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout


def test_panels_do_not_overlap_and_are_told_apart(dashboards: list[dict[str, Any]]) -> None:
    assert len({dashboard["uid"] for dashboard in dashboards}) == len(dashboards)
    for dashboard in dashboards:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells
        ids = [panel["id"] for panel in dashboard["panels"]]
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(set(titles)) == len(ids)


def test_grafana_finds_them_and_their_data(dashboards: list[dict[str, Any]]) -> None:
    texts = render("grafana", load(), "production")
    [source] = yaml.safe_load(texts["provisioning/datasources/jimbot.yml"])["datasources"]
    for dashboard in dashboards:
        assert f"dashboards/{dashboard['uid']}.json" in texts
        for panel in dashboard["panels"]:
            assert panel["datasource"]["uid"] == source["uid"]
