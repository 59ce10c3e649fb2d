"""The appliance watched as its owner does it: a game's way through every service, and an alert."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from jimbot.events.games import GameRecorder
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.server import LocalFiles
from jimbot.operations.ports import free as free_ports
from tests.cli.test_alerts import answering
from tests.test_up import Up

GAME = "watched-game-1"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Up]:
    run = Up(tmp_path)
    table = run.table.read_text()
    table = table.replace("interval_s = 15\n", "interval_s = 0.5\n")
    table = re.sub(r"(ServiceUnhealthy = .*for_s = )60", r"\g<1>1", table)
    run.table.write_text(table)
    yield run
    if run.process and run.process.poll() is None:
        run.process.send_signal(signal.SIGTERM)
        run.process.communicate(timeout=30)
    for left in run.processes():
        left.kill()


def _play(run: Up) -> None:
    """Ask for decisions in a game until one is unsure, so that the gateway is asked too; and send
    a game of that id that is kept action by action."""
    url = run.appliance.url("mcp", "websocket", scheme="ws")
    game = Game(LocalFiles())
    state = game.call("start", {"deck": "RED", "stake": "WHITE", "seed": "ALEEB"})
    with connect(url, compression=None, proxy=None) as socket:
        hello = {"type": "hello", "protocol": 1, "client": "test", "capabilities": ["decisions"]}
        socket.send(json.dumps(hello))
        assert json.loads(socket.recv(timeout=10))["type"] == "welcome"
        confidence = 1.0
        while confidence >= 0.7:
            asked = {"request_id": "r", "state": state, "deadline_ms": 3000, "game_id": GAME}
            socket.send(json.dumps({"type": "decide", **asked}))
            while (decision := json.loads(socket.recv(timeout=30)))["type"] == "heartbeat":
                continue
            assert decision["type"] == "decision", decision
            confidence = decision["confidence"]
            action = decision["action"]
            state = game.call(action["method"], action["params"])
            assert state["state"] != "GAME_OVER"
    played = Run("ALEEB")
    recorder = GameRecorder(
        seed="ALEEB", deck="Red", stake="White", policy="test", source="test", keep=True,
        game_id=GAME,
    )  # fmt: skip
    action = Action(ActionKind.SELECT_BLIND)
    played.step(action)
    recorder.step(action, played)
    client = run.client()
    for event in recorder.finish(played):
        client.send(event)
    assert client.close(20)


@pytest.mark.slow
def test_a_games_way_is_shown_and_a_sick_service_is_told_of(run: Up) -> None:
    hook = run.home.path / "secrets" / "alert-webhooks"
    hook.parent.mkdir(parents=True)
    hook.touch(mode=0o600)
    [port] = free_ports(1)
    hook.write_text(f"http://127.0.0.1:{port}/\n")
    with answering(port, {}) as messages:
        run.start("--no-train", "--json")
        assert run.jimbot("health", "--wait", "--timeout", "60").returncode == 0
        _play(run)

        def way() -> list[dict[str, object]]:
            shown = run.jimbot("logs", "--game", GAME, "--json")
            return [json.loads(line) for line in shown.stdout.splitlines()]

        deadline = time.monotonic() + 30
        while {line["service"] for line in way()} != {"mcp", "claude", "analytics", "event-log"}:
            assert time.monotonic() < deadline, way()
            time.sleep(0.5)
        lines = way()
        times = [str(line["time"])[:23] for line in lines]
        assert times == sorted(times)
        decided = [line for line in lines if str(line["message"]).startswith("decided")]
        [advised] = [line for line in lines if line["service"] == "claude"]
        assert advised["correlation_id"] == decided[-1]["correlation_id"]
        stored = [line["message"] for line in lines if line["service"] == "event-log"]
        assert stored == ["GAME_STARTED", "GAME_ACTION", "GAME_FINISHED"]

        pid = run.pid("claude")
        os.kill(pid, signal.SIGSTOP)
        states: list[tuple[str, str]] = []
        deadline = time.monotonic() + 60
        while ("ServiceUnhealthy", "resolved") not in states:
            assert time.monotonic() < deadline, states
            time.sleep(0.2)
            states = [
                (alert["labels"]["alertname"], alert["status"])
                for message in messages
                for alert in json.loads(message)["alerts"]
            ]
            if states:
                # Well again: by itself, where the supervisor has not ended what hangs before.
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    continue
        assert states == [("ServiceUnhealthy", "firing"), ("ServiceUnhealthy", "resolved")]
        status = run.jimbot("status", "--json")
        found = json.loads(status.stdout)
        assert found["alerts"]["checked"] is True
        assert {row["service"] for row in found["services"]} == {"mcp", "analytics", "claude"}
