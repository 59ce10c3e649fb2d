"""What analytics exposes, and what it reads of the others."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from prometheus_client import CollectorRegistry, Gauge

from jimbot.analytics.alerts.samples import Sample
from jimbot.analytics.exposition import Metrics
from jimbot.analytics.machine import Machine
from jimbot.analytics.models import Services, ServiceState, Summary
from jimbot.analytics.projections import Status
from jimbot.analytics.scrape import Scraper
from jimbot.analytics.timed import TimedGraph, graph_query_seconds
from jimbot.appliance import Appliance, Home
from jimbot.errors import JimbotError
from jimbot.events import Event, now_ms
from jimbot.events.payloads import CLAUDE_REQUEST
from jimbot.operations.backup import record
from tests.analytics.conftest import Analytics, add, game
from tests.test_usage import write_state

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _found(registry: CollectorRegistry) -> Found:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in registry.collect()
        for sample in metric.samples
    }


def _status(name: str, state: Any = "following", **more: Any) -> Status:
    fields: dict[str, Any] = {
        "position": 5,
        "behind": 2,
        "events": 3,
        "errors": 1,
        "error": "",
        "hint": "",
    }
    return Status(name=name, state=state, **(fields | more))


def test_strategies_and_cost_come_from_the_games(analytics: Analytics, home: Home) -> None:
    request = {
        "request_id": "r1",
        "model": "m",
        "purpose": "decision",
        "status": "ok",
        "questions": 1,
        "dollars": 0.5,
        "elapsed_ms": 10.0,
    }
    asked = Event(type=CLAUDE_REQUEST, source="claude", timestamp=now_ms(), payload=request)
    add(home, [game(won=True), game(), game(policy="search"), asked])
    analytics.caught_up(4)
    store = analytics.projections.metrics.store
    metrics = Metrics(
        analytics.figures.summary,
        analytics.projections.statuses,
        lambda: None,
        series=lambda: store,
    )
    found = _found(metrics.registry)
    assert found["jimbot_policy_games_total", (("policy", "ppo"),)] == 2
    assert found["jimbot_policy_wins_total", (("policy", "ppo"),)] == 1
    assert found["jimbot_policy_wins_total", (("policy", "search"),)] == 0
    assert found["jimbot_hand_games_total", (("hand", "Flush"),)] == 3
    assert found["jimbot_joker_wins_total", (("joker", "j_joker"),)] == 1
    assert found["jimbot_cost_last_day_dollars", ()] == pytest.approx(0.5)
    assert found["jimbot_cost_per_game_dollars", ()] == pytest.approx(0.5 / 3)
    assert found["jimbot_store_up", (("store", "metrics"),)] == 1


@pytest.mark.parametrize(
    ("status", "up"),
    [
        (_status("metrics"), 1),
        (_status("metrics", "failing", error="disk"), 0),
        (_status("metrics", warning="QuestDB is away"), 0),
        (_status("metrics", "waiting"), None),  # there is no event log yet
        (_status("knowledge", "missing"), None),  # its package is not installed
    ],
)
def test_a_store_is_up_down_or_unknown(status: Status, up: float | None) -> None:
    metrics = Metrics(_no_summary, lambda: [status], lambda: None, log_up=lambda: False)
    found = _found(metrics.registry)
    assert found.get(("jimbot_store_up", (("store", status.name),))) == up
    assert found["jimbot_store_up", (("store", "events"),)] == 0
    assert ("jimbot_games_finished_total", ()) not in found  # unknown is not none


def _no_summary() -> Summary:
    raise JimbotError("no figures")


def test_a_service_is_well_sick_starting_or_not_asked() -> None:
    states = {
        "mcp": ("ok", True, ""),
        "analytics": ("warn", True, ""),
        "claude": ("fail", True, "nothing listens"),
        "trainer": ("fail", True, "starting: learner"),
        "questdb": ("unchecked", False, "not used"),
    }
    found = Services(
        status="fail",
        checked_at=now_ms(),
        services=[
            ServiceState(name=name, title=name, status=status, expected=expected, reason=reason)  # type: ignore[arg-type]
            for name, (status, expected, reason) in states.items()
        ],
    )
    metrics = Metrics(_no_summary, list, lambda: found, starting=lambda: {"trainer"})
    values = _found(metrics.registry)
    healthy = {
        dict(labels)["service"]: value
        for (name, labels), value in values.items()
        if name == "jimbot_service_healthy"
    }
    assert healthy == {"mcp": 1, "analytics": 1, "claude": 0}
    assert values["jimbot_training_wanted", ()] == 1
    assert values["jimbot_service_expected", (("service", "questdb"),)] == 0
    found.services[3].reason = "paused: a game is played"
    assert _found(metrics.registry)["jimbot_training_wanted", ()] == 0


def test_the_machine_is_measured(home: Home, appliance: Appliance) -> None:
    write_state(home, {"mcp": psutil.Process(), "claude": None})
    add(home, [game(ago_s=7200), game()])
    machine = Machine(appliance, home)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(machine)
    assert _found(registry) == {}  # nothing was measured yet
    machine.measure()
    found = _found(registry)
    mcp = (("service", "mcp"),)
    assert found["jimbot_service_memory_bytes", mcp] > 1 << 20
    limit = appliance.service("mcp").memory_mb << 19  # profile ci
    assert found["jimbot_service_memory_limit_bytes", mcp] == limit
    assert found["jimbot_service_cpu_seconds_total", mcp] > 0
    assert found["jimbot_service_restarts_total", mcp] == 2
    assert found["jimbot_storage_bytes", (("part", "events"),)] > 0
    assert found["jimbot_disk_used_bytes", ()] < found["jimbot_disk_size_bytes", ()]
    # Never backed up: as old as what a loss would cost.
    assert 7100 < found["jimbot_backup_age_seconds", ()] < 7300
    record.update(home, last={"daily": datetime.now(UTC) - timedelta(minutes=5)}, snapshots=4)
    machine._slow = 0.0, []
    machine.measure()
    found = _found(registry)
    assert 290 < found["jimbot_backup_age_seconds", ()] < 400
    assert found["jimbot_backup_snapshots", ()] == 4
    machine.close()


def test_figures_that_are_old_are_left_out(
    home: Home, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(appliance, home)
    machine.measure()
    assert list(machine.collect())
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3600)
    assert list(machine.collect()) == []
    machine.close()


def test_the_event_log_is_up_down_or_not_there(home: Home, appliance: Appliance) -> None:
    machine = Machine(appliance, home)
    assert machine.log_up() is None
    add(home, [game()])
    assert machine.log_up() is True
    machine.close()
    home.event_log.write_bytes(b"no database" * 1000)
    assert machine.log_up() is False
    machine.close()


class _Graph:
    """As much of a graph as is timed."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, cypher: str, parameters: Any = None) -> list[dict[str, Any]]:
        self.asked.append(cypher)
        return [{"n": 1}]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield


def test_questions_to_the_graph_are_timed_and_writing_is_not() -> None:
    seconds = graph_query_seconds()
    registry = CollectorRegistry()
    registry.register(seconds)
    graph = TimedGraph(_Graph(), seconds)  # type: ignore[arg-type]
    assert graph.run("MATCH (a) RETURN a") == [{"n": 1}]
    with graph.transaction():
        graph.run("CREATE (b)")
    assert registry.get_sample_value("jimbot_graph_query_seconds_count") == 1
    graph.run("MATCH (c) RETURN c")
    assert registry.get_sample_value("jimbot_graph_query_seconds_count") == 2


class _Exporter(http.server.BaseHTTPRequestHandler):
    text = b"jimbot_mcp_sessions 3\n"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: Any) -> None:
        pass


def _services(*expected: str) -> Services:
    states = [
        ServiceState(name=name, title=name, status="ok", expected=name in expected)
        for name in ("mcp", "analytics", "claude", "ray-head", "questdb")
    ]
    return Services(status="ok", checked_at=1, services=states)


def test_the_others_are_read_as_prometheus_would(appliance: Appliance) -> None:
    registry = CollectorRegistry()
    Gauge("jimbot_mine", "Mine.", registry=registry).set(7)
    port = appliance.service("mcp").ports["http"]
    found: list[Sample] = []

    async def main() -> list[Sample]:
        # claude is expected and away; ray-head has no metrics, questdb's are not ours.
        services = _services("mcp", "analytics", "claude", "ray-head", "questdb")
        scraper = Scraper(appliance, "analytics", registry, lambda: services)
        try:
            return await scraper.samples()
        finally:
            await scraper.close()

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), _Exporter) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = asyncio.run(main())
        server.shutdown()
    values = {(one.name, *sorted(dict(one.labels).values())): one.value for one in found}
    assert values == {
        ("jimbot_mine",): 7,
        ("jimbot_mcp_sessions",): 3,
        ("up", "jimbot-analytics"): 1,
        ("up", "jimbot-mcp"): 1,
        ("up", "jimbot-claude"): 0,
    }


def test_alerts_are_answered_over_http(analytics: Analytics) -> None:
    answer = analytics.get("/api/v1/alerts")
    assert answer == {"status": "unchecked", "checked_at": None, "alerts": [], "rules": []}
