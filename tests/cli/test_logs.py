from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jimbot.appliance import Home
from jimbot.cli import main
from jimbot.events import Event, open_log, stream_of


def _run(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.path), "logs", *arguments])


def _say(home: Home, service: str, message: str, *, ago_s: float = 0, **fields: Any) -> None:
    when = datetime.now(UTC) - timedelta(seconds=ago_s)
    said = {"time": when.isoformat(), "level": "info", "service": service, "message": message}
    with (home.logs / f"{service}.jsonl").open("a") as file:
        file.write(json.dumps(said | fields) + "\n")


@pytest.fixture
def said(home: Home) -> Home:
    _say(home, "mcp", "long ago", ago_s=7200)
    _say(home, "mcp", "decided: play", ago_s=50, game="g1", correlation_id="c1", took_ms=3)
    _say(home, "claude", "advised by claude", ago_s=51, correlation_id="c1")
    _say(home, "claude", "of another game", ago_s=45, game="g2", correlation_id="c2")
    _say(home, "analytics", "projection failed", ago_s=40, level="error", error="disk\nfull")
    return home


def _messages(result: Result) -> list[str]:
    return [json.loads(line)["message"] for line in result.stdout.splitlines()]


def test_all_services_together_in_order_of_time(said: Home) -> None:
    assert _messages(_run(said, "--json")) == [
        "long ago",
        "advised by claude",
        "decided: play",
        "of another game",
        "projection failed",
    ]
    assert _messages(_run(said, "--json", "-n", "2")) == ["of another game", "projection failed"]


def test_lines_are_chosen(said: Home) -> None:
    assert "long ago" not in _messages(_run(said, "--json", "--since", "1h"))
    assert _messages(_run(said, "mcp", "--json", "--since", "1h")) == ["decided: play"]
    assert _messages(_run(said, "--json", "--level", "warning")) == ["projection failed"]
    now = (datetime.now(UTC) - timedelta(seconds=42)).isoformat()
    assert _messages(_run(said, "--json", "--since", now)) == ["projection failed"]


def test_people_get_a_line_with_what_matters(said: Home) -> None:
    shown = _run(said, "analytics", "mcp", "--since", "1h").stdout.splitlines()
    assert shown[0].endswith(
        "INFO   mcp         decided: play  game=g1 correlation_id=c1 took_ms=3"
    )
    assert shown[1].endswith("ERROR  analytics   projection failed")
    assert shown[2:] == ["disk", "full"]


def test_what_a_library_printed_does_not_move_the_cursor(home: Home) -> None:
    _say(home, "mcp", "\x1b[2J\x07 gone")
    assert "\ufffd[2J\ufffd gone" in _run(home).stdout


def test_one_game_is_shown_through_every_service_and_the_event_log(said: Home) -> None:
    now = int(time.time() * 1000)
    log = open_log(said)
    for event in (
        Event(
            type="GAME_STARTED",
            source="trainer-7",
            timestamp=now - 60_000,
            payload={
                "game_id": "g1",
                "seed": "ABC",
                "deck": "Red",
                "stake": "White",
                "policy": "ppo",
                "rules": "1",
            },
        ),
        Event(
            type="CLAUDE_REQUEST",
            source="claude",
            timestamp=now - 49_000,
            payload={"request_id": "r1", "game_ids": ["g1", "g3"], "dollars": 0.01},
        ),
        Event(
            type="CLAUDE_REQUEST",
            source="claude",
            timestamp=now - 48_000,
            payload={"request_id": "r2", "game_ids": ["g3"], "dollars": 0.01},
        ),
    ):
        log.append([(stream_of(event), event)])
    log.close()
    result = _run(said, "--game", "g1", "--json")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["service"], one["message"]) for one in found] == [
        ("event-log", "GAME_STARTED"),
        ("claude", "advised by claude"),
        ("mcp", "decided: play"),
        ("event-log", "CLAUDE_REQUEST"),
    ]
    assert found[0]["source"] == "trainer-7"
    assert "seed=ABC" in _run(said, "--game", "g1").stdout


def test_a_game_without_a_trace_and_an_unknown_service_are_told(said: Home) -> None:
    result = _run(said, "--game", "nope")
    assert result.exit_code == 1
    assert "no trace of game nope" in result.stderr
    assert _run(said, "nosuch").exit_code != 0
    assert _run(said, "--since", "yesterday").exit_code == 2


def test_an_event_log_that_cannot_be_read_is_not_passed_over(said: Home) -> None:
    said.event_log.write_bytes(b"no database at all" * 100)
    result = _run(said, "--game", "g1", "--json")
    assert result.exit_code == 2
    assert "without the game's events" in result.stderr
    assert "decided: play" in _messages(result)


def test_following_goes_on_until_ctrl_c(home: Home, tmp_path: Path) -> None:
    _say(home, "mcp", "before")
    command = [sys.executable, "-m", "jimbot", "--home", str(home.path), "logs", "-f", "--json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        # A suite that runs in the background hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["message"] == "before"
        _say(home, "claude", "after")
        assert json.loads(process.stdout.readline())["message"] == "after"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
