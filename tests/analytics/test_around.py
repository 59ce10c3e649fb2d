"""Memory, costs and backups: what was not measured never looks like nothing, or like well."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jimbot import usage
from jimbot.analytics.around import Around
from jimbot.analytics.models import Backups, Costs, Resources, Services, ServiceState
from jimbot.appliance import Appliance, Home

REPORT = {
    "dollars": 3.5,
    "tokens": 1000,
    "requests": 7,
    "by_day": [{"key": "2026-11-24", "dollars": 3.5, "tokens": 1000, "requests": 7}],
    "by_model": [],
    "by_purpose": [],
    "games": 2,
    "games_won": 0,
    "per_game": 1.75,
    "per_won_game": None,
    "this_month": 3.5,
    "month_forecast": 12.0,
    "month_budget": 50.0,
    "over_budget": False,
}
Answer = Callable[[httpx.Request], httpx.Response]


def services(*, claude: bool) -> Services:
    state = ServiceState(
        name="claude", title="", status="ok", expected=claude, reason="" if claude else "not here"
    )
    return Services(status="ok", checked_at=1, services=[state])


def costs(
    appliance: Appliance,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    *,
    claude: bool = True,
) -> Costs:
    transport = httpx.MockTransport(answer)
    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **_: client(transport=transport))

    async def ask() -> Costs:
        around = Around(appliance, home, lambda: services(claude=claude))
        try:
            return await around.costs()
        finally:
            await around.close()

    return asyncio.run(ask())


def test_costs_come_from_the_gateway(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/costs"
        assert request.url.port == appliance.service("claude").ports["http"]
        return httpx.Response(200, json={**REPORT, "since": 0, "until": 1})

    found = costs(appliance, home, monkeypatch, answer)
    assert found.state == "ok"
    assert found.report is not None
    assert (found.report.this_month, found.report.month_forecast) == (3.5, 12.0)


def _refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there")


@pytest.mark.parametrize(
    "answer",
    [
        _refused,
        lambda _: httpx.Response(503, json={"detail": "the ledger cannot be used"}),
        lambda _: httpx.Response(200, text="<html>"),
    ],
)
def test_a_gateway_that_is_away_is_not_free_of_cost(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    found = costs(appliance, home, monkeypatch, answer)
    assert (found.state, found.report) == ("away", None)
    assert found.reason


def test_a_gateway_that_is_not_part_of_the_run_is_not_asked(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    found = costs(appliance, home, monkeypatch, answer, claude=False)
    assert (found.state, found.report) == ("unchecked", None)
    assert "not here" in found.reason


def around(appliance: Appliance, home: Home, ask: Callable[[Around], Any]) -> Any:
    async def run() -> Any:
        it = Around(appliance, home, lambda: None)
        try:
            return await ask(it)
        finally:
            await it.close()

    return asyncio.run(run())


def backups(appliance: Appliance, home: Home) -> Backups:
    found: Backups = around(appliance, home, lambda it: it.backups())
    return found


def write_status(home: Home, **record: Any) -> None:
    folder = home.path / "backup"
    folder.mkdir(exist_ok=True)
    (folder / "status.json").write_text(json.dumps(record, default=str))


def test_backups_none_fresh_stale_and_failed(appliance: Appliance, home: Home) -> None:
    assert backups(appliance, home).state == "none"
    now = datetime.now(UTC)
    write_status(home, last={"hourly": now - timedelta(minutes=20)}, snapshots=3)
    fresh = backups(appliance, home)
    assert (fresh.state, fresh.snapshots, fresh.hint) == ("ok", 3, "")
    assert fresh.age_s == pytest.approx(1200, abs=60)
    write_status(home, last={"hourly": now - timedelta(minutes=20)}, problem="disk is full")
    failed = backups(appliance, home)
    assert (failed.state, failed.reason) == ("stale", "disk is full")
    write_status(home, last={"weekly": now - timedelta(days=40)})
    assert backups(appliance, home).state == "stale"


def test_backups_that_cannot_be_looked_at_are_not_checked(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jimbot.operations import backup

    def broken(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(backup, "status", broken)
    found = backups(appliance, home)
    assert found.state == "unchecked"
    assert "no room" in found.reason


def resources(appliance: Appliance, home: Home) -> Resources:
    found: Resources = around(appliance, home, lambda it: it.resources())
    return found


def test_memory_is_not_checked_without_a_run(appliance: Appliance, home: Home) -> None:
    found = resources(appliance, home)
    assert not found.checked
    assert found.reason
    assert found.services == []
    assert all(group.used is None and group.limit > 0 for group in found.groups)
    assert found.disk_used is not None


def test_memory_of_what_the_system_runs(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMBOT_HOME", str(home.path))
    monkeypatch.setenv("JIMBOT_SERVICES", "mcp,memgraph")
    monkeypatch.setenv("JIMBOT_PROFILE", "ci")
    assert "systemd-cgtop" in resources(appliance, home).reason
    taken = usage.Usage("mcp", os.getpid(), 1.0, None, 1, 5 << 20, 2.0, None)
    monkeypatch.setattr(usage, "of_services", lambda *_: [taken])
    found = resources(appliance, home)
    assert (found.checked, found.reason) == (True, "")
    by_name = {one.name: one for one in found.services}
    assert (by_name["mcp"].used, by_name["memgraph"].used) == (5 << 20, None)
    scale = appliance.profiles["ci"].memory_scale
    assert by_name["mcp"].limit == int(appliance.services["mcp"].memory_mb * scale) << 20


def test_memory_of_services_and_of_their_groups(appliance: Appliance, home: Home) -> None:
    me = psutil.Process()
    mine = {"pid": os.getpid(), "started": me.create_time()}
    run = {**mine, "profile": "ci", "services": {"mcp": mine, "trainer": None}}
    Path(home.run).mkdir(exist_ok=True)
    (home.run / "up.json").write_text(json.dumps(run))
    found = resources(appliance, home)
    assert found.checked
    by_name = {one.name: one for one in found.services}
    assert set(by_name) == {"mcp", "trainer"}
    used = by_name["mcp"].used
    assert used is not None
    assert used == pytest.approx(me.memory_info().rss, rel=0.3)
    assert by_name["trainer"].used is None  # to run, but not started: not measured
    groups = {group.name: group for group in found.groups}
    # mcp lives in the group `api`, which is inside `system`.
    assert groups["api"].used == groups["system"].used == used
    assert groups["training"].used is None
    assert groups["system"].limit == appliance.groups["system"].memory_mb << 20
