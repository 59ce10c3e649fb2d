"""`jimbot status` and `jimbot top` on stand-ins for services."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from jimbot.appliance import Home, load
from jimbot.operations.backup import record
from tests.cli.test_alerts import FIRING, WELL, _run, analytics_port, answering, table
from tests.test_usage import write_state

__all__ = ["table"]


def test_what_does_not_run_is_not_well(home: Home, table: Path) -> None:
    result = _run(home, table, "status")
    assert result.exit_code == 1
    assert "not running" in result.stdout
    assert "alerts   not checked" in result.stdout
    assert "none yet. Make one: jimbot backup run" in result.stdout


def test_a_running_appliance_is_told_on_one_screen(home: Home, table: Path) -> None:
    write_state(home, {"analytics": psutil.Process()})
    ok = {"status": "ok", **WELL}
    with answering(analytics_port(table), ok):
        result = _run(home, table, "status")
        found = json.loads(_run(home, table, "status", "--json").stdout)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) <= 24
    [row] = found["services"]
    assert (row["service"], row["restarts"], row["pid"]) == ("analytics", 2, psutil.Process().pid)
    assert (
        row["memory_limit_bytes"] == load(table).service("analytics").memory_mb << 19
    )  # profile ci
    assert row["memory_bytes"] > 1 << 20
    assert found["alerts"] == {"checked": True, "reason": "", "alerts": [], "unchecked": []}


@pytest.fixture
def system(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system runs analytics, as NixOS does."""
    monkeypatch.setenv("JIMBOT_HOME", str(home.path))
    monkeypatch.setenv("JIMBOT_SERVICES", "analytics")
    monkeypatch.setenv("JIMBOT_PROFILE", "workstation")


def test_what_the_system_runs_is_told_without_an_up(home: Home, table: Path, system: None) -> None:
    with answering(analytics_port(table), {"status": "ok", **WELL}):
        result = _run(home, table, "status")
        found = json.loads(_run(home, table, "status", "--json").stdout)
    assert result.exit_code == 0, result.output
    assert "run by the system  profile workstation" in result.stdout
    assert (found["running"], found["by_system"], found["pid"]) == (True, True, None)
    assert [row["service"] for row in found["services"]] == ["analytics"]
    assert _run(home, table, "status").exit_code == 1  # it does not answer


def test_what_the_system_runs_is_told_what_to_do_about(
    home: Home, table: Path, system: None
) -> None:
    for arguments in (["top", "--once"], ["alerts", "list"], ["drain"]):
        result = _run(home, table, *arguments)
        assert result.exit_code == 2
        assert "Start it" not in result.stderr
        assert "system" in result.stderr


def test_who_is_drained_is_told_and_nobody_expects_him(home: Home, table: Path) -> None:
    write_state(home, {"analytics": psutil.Process(), "trainer": None})
    file = home.run / "up.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"drained": ["trainer"]}))
    with answering(analytics_port(table), {"status": "ok", **WELL}):
        result = _run(home, table, "status")
        found = json.loads(_run(home, table, "status", "--json").stdout)
    assert result.exit_code == 0, result.output
    assert "drained  trainer. Back into work: jimbot undrain" in result.stdout
    assert found["drained"] == ["trainer"]
    assert [row["service"] for row in found["services"]] == ["analytics"]


def test_what_fires_and_a_stale_backup_are_shown(home: Home, table: Path) -> None:
    write_state(home, {"analytics": psutil.Process()})
    record.update(home, last={"daily": datetime.now(UTC) - timedelta(days=9)}, snapshots=3)
    with answering(analytics_port(table), FIRING):
        result = _run(home, table, "status")
    assert result.exit_code == 1
    assert "newest good one 9d 0h old, 3 kept: STALE" in result.stdout
    assert "1 firing; not checked for want of figures: BackupStale" in result.stdout
    assert "MemoryCritical" in result.stdout


def test_top_shows_use_against_the_table(home: Home, table: Path) -> None:
    write_state(home, {"mcp": psutil.Process(), "analytics": psutil.Process()})
    found = json.loads(_run(home, table, "top", "--once", "--json").stdout)
    mcp, _ = found["services"]
    assert mcp["memory_limit_bytes"] == load(table).service("mcp").memory_mb << 19
    assert mcp["cores"] is not None
    [group] = found["groups"]
    assert group["group"] == "api"
    assert group["memory_bytes"] == sum(one["memory_bytes"] for one in found["services"])
    shown = _run(home, table, "top").stdout  # off a terminal it looks once
    assert "[api]" in shown
    assert "GPU" in shown


def test_top_of_nothing_says_so(home: Home, table: Path) -> None:
    result = _run(home, table, "top", "--once")
    assert result.exit_code == 2
    assert "nothing of JimBot runs" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (5, "5s"), (65, "1m 5s"), (3700, "1h 1m"), (90000, "1d 1h")],
)
def test_spans_are_told_in_two_units(seconds: float | None, text: str) -> None:
    from jimbot.cli.status import span

    assert span(seconds) == text
