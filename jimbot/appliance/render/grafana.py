"""Grafana: dashboards on what Prometheus scrapes, and the files by which Grafana finds them."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

import yaml

from jimbot.appliance.model import Appliance
from jimbot.appliance.rules import rules

_COLUMNS, _HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "jimbot-prometheus"}

Kind = Literal["timeseries", "stat", "bargauge", "table"]


class Query(NamedTuple):
    """PromQL, and what its lines are called (`{{label}}` is filled in)."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """One picture. `unit` is Grafana's name for it; `limits` draws lines: colour by value."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    text: str = ""
    limits: tuple[tuple[float, str], ...] = ()


class Dashboard(NamedTuple):
    uid: str
    title: str
    panels: tuple[Panel, ...]


def render(appliance: Appliance, environment: str) -> dict[str, str]:
    """A file a dashboard, and Grafana's provisioning of them and of Prometheus."""
    texts = {
        f"dashboards/{dashboard.uid}.json": json.dumps(_dashboard(dashboard), indent=1) + "\n"
        for dashboard in dashboards(appliance)
    }
    texts["provisioning/dashboards/jimbot.yml"] = yaml.safe_dump(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "jimbot",
                    "folder": "JimBot",
                    "type": "file",
                    "allowUiUpdates": False,
                    "options": {"path": "/etc/grafana/jimbot/dashboards"},
                }
            ],
        },
        sort_keys=False,
    )
    texts["provisioning/datasources/jimbot.yml"] = yaml.safe_dump(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "JimBot",
                    "uid": _SOURCE["uid"],
                    "type": "prometheus",
                    "access": "proxy",
                    "url": "http://127.0.0.1:9090",
                }
            ],
        },
        sort_keys=False,
    )
    return texts


def dashboards(appliance: Appliance) -> list[Dashboard]:
    """Those there are; lines at thresholds are where the alerts of the table are."""
    at = {rule.name: rule.threshold for rule in rules(appliance)}
    return [_play(at), _machine(at), _claude(at)]


def _play(at: dict[str, float]) -> Dashboard:
    return Dashboard(
        "jimbot-play",
        "JimBot: play and training",
        (
            Panel(
                "Games per hour",
                "short",
                (Query("jimbot_games_per_hour", "games per hour"),),
                limits=((at["ThroughputLow"], "red"),),
            ),
            Panel(
                "Win rate, last 24 hours",
                "percentunit",
                (
                    Query("jimbot_win_ratio", "win rate"),
                    Query("jimbot_win_ratio_low", "95 % low"),
                    Query("jimbot_win_ratio_high", "95 % high"),
                ),
            ),
            Panel(
                "Mean ante, last 24 hours", "short", (Query("jimbot_ante_reached_mean", "ante"),)
            ),
            Panel(
                "Training throughput",
                "short",
                (Query("jimbot_trainer_steps_per_second", "steps a second"),),
            ),
            Panel(
                "Games trained per hour",
                "short",
                (Query("rate(jimbot_trainer_games_total[$__rate_interval]) * 3600", "games"),),
            ),
            Panel(
                "Loss, entropy, return",
                "short",
                (
                    Query("jimbot_trainer_loss", "loss"),
                    Query("jimbot_trainer_entropy", "entropy"),
                    Query("jimbot_trainer_return_mean", "mean return"),
                ),
            ),
            Panel(
                "Mean ante on held-out seeds",
                "short",
                (Query("jimbot_trainer_evaluation_ante", "ante"),),
            ),
            Panel(
                "Win rate on held-out seeds",
                "percentunit",
                (Query("jimbot_trainer_evaluation_win_rate", "win rate"),),
            ),
            Panel(
                "Win rate by policy",
                "percentunit",
                (
                    Query(
                        "jimbot_policy_wins_total / (jimbot_policy_games_total > 0)", "{{policy}}"
                    ),
                ),
                kind="bargauge",
            ),
            Panel(
                "Win rate by poker hand played",
                "percentunit",
                (
                    Query(
                        "topk(12, jimbot_hand_wins_total / (jimbot_hand_games_total > 30))",
                        "{{hand}}",
                    ),
                ),
                kind="bargauge",
                text="Of hands played in more than 30 games.",
            ),
            Panel(
                "Win rate by joker held",
                "percentunit",
                (
                    Query(
                        "topk(15, jimbot_joker_wins_total / (jimbot_joker_games_total > 30))",
                        "{{joker}}",
                    ),
                ),
                kind="bargauge",
                text="Of jokers held at the end of more than 30 games.",
            ),
        ),
    )


def _machine(at: dict[str, float]) -> Dashboard:
    return Dashboard(
        "jimbot-machine",
        "JimBot: services and machine",
        (
            Panel(
                "Services",
                "short",
                (Query("jimbot_service_healthy", "{{service}}"),),
                kind="stat",
                limits=((0, "red"), (1, "green")),
            ),
            Panel(
                "Alerts firing",
                "short",
                (Query('sum by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),),
                kind="stat",
            ),
            Panel(
                "Restarts",
                "short",
                (Query("jimbot_service_restarts_total", "{{service}}"),),
                kind="stat",
            ),
            Panel(
                "Memory of its limit",
                "percentunit",
                (
                    Query(
                        "jimbot_service_memory_bytes / (jimbot_service_memory_limit_bytes > 0)",
                        "{{service}}",
                    ),
                ),
                limits=((at["MemoryHigh"], "yellow"), (at["MemoryCritical"], "red")),
            ),
            Panel("Memory", "bytes", (Query("jimbot_service_memory_bytes", "{{service}}"),)),
            Panel(
                "Processor cores in use",
                "short",
                (Query("rate(jimbot_service_cpu_seconds_total[$__rate_interval])", "{{service}}"),),
            ),
            Panel(
                "GPU memory of its size",
                "percentunit",
                (
                    Query(
                        "jimbot_gpu_memory_bytes / (jimbot_gpu_memory_size_bytes > 0)",
                        "GPU {{gpu}}",
                    ),
                ),
                limits=((at["GpuMemoryHigh"], "red"),),
            ),
            Panel(
                "GPU memory by service",
                "bytes",
                (Query("jimbot_service_gpu_memory_bytes", "{{service}}"),),
            ),
            Panel(
                "GPU busy",
                "percentunit",
                (Query("jimbot_gpu_busy_ratio", "GPU {{gpu}}"),),
            ),
            Panel(
                "Event latency: arrival to durable",
                "s",
                _quantiles("jimbot_mcp_event_seconds"),
            ),
            Panel("Decisions", "s", _quantiles("jimbot_mcp_decision_seconds")),
            Panel(
                "Questions to the knowledge graph",
                "s",
                _quantiles("jimbot_graph_query_seconds"),
                limits=((at["GraphQuerySlow"], "red"),),
            ),
            Panel(
                "Events acknowledged",
                "cps",
                (Query("rate(jimbot_mcp_events_acknowledged_total[$__rate_interval])", "events"),),
            ),
            Panel(
                "Events behind the log",
                "short",
                (Query("jimbot_projection_behind_events", "{{projection}}"),),
                limits=((at["EventsWaiting"], "yellow"),),
            ),
            Panel("Stores", "short", (Query("jimbot_store_up", "{{store}}"),), kind="stat"),
            Panel("Storage", "bytes", (Query("jimbot_storage_bytes", "{{part}}"),)),
            Panel(
                "Storage growth a day",
                "bytes",
                (Query("deriv(jimbot_storage_bytes[6h]) * 86400", "{{part}}"),),
            ),
            Panel(
                "Disk used",
                "percentunit",
                (Query("jimbot_disk_used_bytes / jimbot_disk_size_bytes", "disk"),),
                limits=((at["DiskFilling"], "red"),),
            ),
            Panel(
                "Age of the newest good backup",
                "s",
                (
                    Query("jimbot_backup_age_seconds", "age"),
                    Query("jimbot_backup_stale_after_seconds", "stale after"),
                ),
            ),
        ),
    )


def _claude(at: dict[str, float]) -> Dashboard:
    return Dashboard(
        "jimbot-claude",
        "JimBot: Claude",
        (
            Panel(
                "Cost an hour",
                "currencyUSD",
                (
                    Query(
                        "sum by (model) (rate(jimbot_claude_cost_dollars_total[1h])) * 3600",
                        "{{model}}",
                    ),
                ),
            ),
            Panel(
                "Cost per game",
                "currencyUSD",
                (Query("jimbot_cost_per_game_dollars", "a game, last 24 hours"),),
            ),
            Panel(
                "Cost of the last 24 hours",
                "currencyUSD",
                (Query("jimbot_cost_last_day_dollars", "dollars"),),
            ),
            Panel(
                "Budget used",
                "percentunit",
                (Query("jimbot_claude_budget_used_ratio", "{{window}} {{unit}}"),),
                limits=((at["BudgetHigh"], "yellow"), (at["BudgetSpent"], "red")),
            ),
            Panel(
                "Requests of the hour used",
                "percentunit",
                (Query("jimbot_claude_rate_used_ratio", "used"),),
                limits=((at["ApiRateHigh"], "yellow"),),
            ),
            Panel(
                "Requests",
                "cps",
                (
                    Query(
                        "sum by (purpose, status)"
                        " (rate(jimbot_claude_requests_total[$__rate_interval]))",
                        "{{purpose}} {{status}}",
                    ),
                ),
            ),
            Panel(
                "Tokens",
                "short",
                (
                    Query(
                        "sum by (kind) (rate(jimbot_claude_tokens_total[$__rate_interval]))",
                        "{{kind}} a second",
                    ),
                ),
            ),
            Panel(
                "Answers by source",
                "cps",
                (
                    Query(
                        "sum by (source) (rate(jimbot_claude_advices_total[$__rate_interval]))",
                        "{{source}}",
                    ),
                ),
            ),
            Panel(
                "Cache hits of look-ups",
                "percentunit",
                (
                    Query(
                        "sum by (tier) (rate(jimbot_claude_cache_lookups_total"
                        '{result="hit"}[$__rate_interval])) / sum by (tier)'
                        " (rate(jimbot_claude_cache_lookups_total[$__rate_interval]))",
                        "{{tier}}",
                    ),
                ),
            ),
            Panel("Answers", "s", _quantiles("jimbot_claude_advice_seconds")),
            Panel("Requests to the API", "s", _quantiles("jimbot_claude_request_seconds")),
            Panel(
                "Decisions that consulted",
                "percentunit",
                (Query("jimbot_claude_decision_share_ratio", "share"),),
            ),
        ),
    )


def _quantiles(histogram: str) -> tuple[Query, ...]:
    buckets = f"sum by (le) (rate({histogram}_bucket[$__rate_interval]))"
    return tuple(
        Query(f"histogram_quantile({quantile}, {buckets})", f"p{quantile * 100:g}")
        for quantile in (0.5, 0.95, 0.99)
    )


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    panels = []
    x = y = 0
    for number, panel in enumerate(dashboard.panels, 1):
        if x + panel.width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
        panels.append(_panel(number, panel, place))
        x += panel.width
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["jimbot"],
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "JimBot", "tags": ["jimbot"], "asDropdown": False}
        ],
        "panels": panels,
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.limits]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.kind == "timeseries":
        style = "line" if panel.limits else "off"
        defaults["custom"] = {"thresholdsStyle": {"mode": style}, "spanNulls": False}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + place_of),
                "expr": query.expr,
                "legendFormat": query.legend,
                "datasource": _SOURCE,
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
            }
            for place_of, query in enumerate(panel.queries)
        ],
    }
