"""The main job as its owner does it: `jimbot up` as a program, with faults in the middle."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jimbot.appliance import Appliance, Home, load
from jimbot.events import Event, open_log
from jimbot.mcp.client import EventClient
from jimbot.operations import state
from tests.conftest import table_on_free_ports
from tests.processes import until
from tests.training.conftest import shrink

JIMBOT = [sys.executable, "-m", "jimbot"]


class Up:
    """A running `jimbot up` of a test, and other commands on the same state."""

    def __init__(self, directory: Path) -> None:
        self.table = table_on_free_ports(directory)
        self.appliance: Appliance = load(self.table)
        self.home = Home(directory / "home")
        self.environment = os.environ | {
            "JIMBOT_HOME": str(self.home.path),
            "JIMBOT_TABLE": str(self.table),
        }
        self.process: subprocess.Popen[str] | None = None
        self._stderr = directory / "up.stderr"

    def said(self) -> str:
        """What the last one that was started has said on stderr so far."""
        return self._stderr.read_text()

    def start(self, *arguments: str) -> None:
        self.launch("up", *arguments)

    def launch(self, *arguments: str) -> None:
        with self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [*JIMBOT, *arguments],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def jimbot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*JIMBOT, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def finish(self, timeout: float) -> tuple[int, str, str]:
        """Wait for its end; exit code, stdout, stderr."""
        assert self.process is not None
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, self.said()

    def pid(self, name: str) -> int:
        running = state.read(self.home)
        assert running is not None
        service = running.services[name]
        assert service is not None
        return service.pid

    def processes(self) -> list[psutil.Process]:
        """Every process of this home, whoever its parent is."""
        found = []
        for each in psutil.process_iter():
            try:
                if each.environ().get("JIMBOT_HOME") == str(self.home.path):
                    found.append(each)
            except psutil.Error:
                continue
        return found

    def client(self) -> EventClient:
        url = self.appliance.url("mcp", "websocket", scheme="ws")
        return EventClient(url, journal=self.home.acknowledged)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Up]:
    run = Up(tmp_path)
    yield run
    if run.process and run.process.poll() is None:
        run.process.kill()
        run.process.communicate()
    for left in run.processes():
        left.kill()


def _event(number: int) -> Event:
    return Event(type="MONEY_CHANGED", source="test", payload=_money(number))


def _money(number: int) -> dict[str, Any]:
    return {"old_value": number, "new_value": number + 1, "difference": 1}


def test_events_survive_a_kill_of_mcp_in_mid_load(run: Up) -> None:
    run.start("--no-train", "--json")
    assert run.jimbot("health", "--wait", "--timeout", "60").returncode == 0
    client = run.client()
    stop = threading.Event()
    sent = 0

    def load_it() -> None:
        nonlocal sent
        while not stop.is_set():
            client.send(_event(sent))
            sent += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=load_it)
    thread.start()
    try:
        for _ in range(3):
            before = client.acknowledged
            until(lambda before=before: client.acknowledged > before + 50, 30)
            killed = run.pid("mcp")
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: run.pid("mcp") != killed, 30)
    finally:
        stop.set()
        thread.join()
    assert client.flush(30)
    assert client.acknowledged == sent
    client.close(10)

    assert run.jimbot("health", "--wait", "--timeout", "60").returncode == 0
    assert run.process is not None
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(20)
    assert time.monotonic() - began < 10
    assert code == 0, err
    summary = json.loads(out)
    assert summary["events_acknowledged"] == summary["events_stored"] == sent
    assert summary["events_lost"] == 0
    assert summary["restarts"]["mcp"] == 3
    assert run.processes() == []
    log = open_log(run.home, read_only=True)
    stored = [r.event.payload["old_value"] for r in log.read(limit=sent + 1)]
    log.close()
    assert stored == list(range(sent))


def test_a_lost_event_is_reported_and_fails_the_run(run: Up) -> None:
    """The check of the check: an acknowledged id that the log does not hold."""
    run.home.prepare()
    (run.home.acknowledged / "999999-abcdef01-0.ids").write_text("never-stored\n")
    run.start("--no-train", "--json", "--for", "1h")
    assert run.jimbot("health", "--wait", "--timeout", "60").returncode == 0
    (run.home.acknowledged / "999999-abcdef02-0.ids").write_text("not-stored-either\n")
    assert run.process is not None
    run.process.send_signal(signal.SIGINT)
    code, out, _ = run.finish(20)
    assert json.loads(out)["events_lost"] >= 1
    assert code == 1


def test_up_starts_after_a_killed_up_and_tells_in_json_alone(run: Up) -> None:
    run.start("--no-train")
    assert run.jimbot("health", "--wait", "--timeout", "60").returncode == 0
    second = run.jimbot("up", "--no-train", "--for", "5s")
    assert second.returncode == 2
    assert f"JimBot runs already on {run.home.path}" in second.stderr
    assert run.process is not None
    assert run.process.poll() is None
    run.process.kill()
    run.finish(10)

    # Nothing of that one is left, and progress goes to stderr.
    run.start("--no-train", "--json")
    until(lambda: all(f"{name}: ok" in run.said() for name in ("mcp", "analytics", "claude")), 60)
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(30)
    assert code == 0, err
    summary = json.loads(out)
    assert summary["healthy_after_s"] is not None
    assert set(summary["peak_rss_mb"]) == {"mcp", "analytics", "claude"}
    assert all(20 < mb < 400 for mb in summary["peak_rss_mb"].values())
    assert "mcp: ok" in err
    assert "games 0" in err
    assert run.processes() == []


def test_up_ends_by_itself_after_its_time(run: Up) -> None:
    run.start("--no-train", "--json", "--for", "1s")
    code, out, err = run.finish(60)
    assert code == 0, err
    assert json.loads(out)["seconds"] >= 1
    assert run.processes() == []


def test_the_table_of_the_option_is_the_services_table(run: Up) -> None:
    del run.environment["JIMBOT_TABLE"]
    run.launch("--table", str(run.table), "up", "--no-train")
    health = run.jimbot("--table", str(run.table), "health", "--wait", "--timeout", "60")
    assert health.returncode == 0, health.stdout


def test_a_corrupted_log_is_refused_and_left_as_it_is(run: Up) -> None:
    run.home.prepare()
    run.home.event_log.write_bytes(b"this is no database" * 100)
    run.start("--no-train", "--for", "60s")
    code, out, err = run.finish(60)
    assert code == 2
    assert "mcp cannot start" in err
    assert str(run.home.event_log) in err
    assert "Traceback" not in err
    assert out == ""
    assert run.home.event_log.read_bytes() == b"this is no database" * 100
    assert run.processes() == []


@pytest.mark.timeout(400)
def test_it_trains_keeps_every_game_and_goes_on_after_a_restart(run: Up) -> None:
    shrink(run.table)
    run.start("--json", "--profile", "ci")
    until(lambda: "trainer: ok" in run.said(), 120)
    trainer = f"{run.appliance.url('trainer')}/metrics"

    def trained() -> bool:
        told = httpx.get(trainer, timeout=10, trust_env=False).text
        return all(
            re.search(rf"^jimbot_trainer_{what}_total [1-9]", told, re.M)
            for what in ("games", "iterations")
        )

    until(trained, 120)
    assert run.process is not None
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(30)
    assert code == 0, err
    first = json.loads(out)
    assert first["games_finished"] > 0
    assert first["training_iterations"] > 0
    assert first["events_lost"] == 0
    assert first["events_stored"] == first["events_acknowledged"]
    assert first["healthy_after_s"] is not None
    assert run.processes() == []
    checkpoints = sorted(run.home.checkpoints.iterdir())
    assert checkpoints

    games = json.loads(run.jimbot("games", "list", "--recorded", "--json").stdout)["games"]
    assert games, "every game is kept action by action"
    replayed = run.jimbot("games", "replay", games[0]["game_id"], "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["actions"] == games[0]["actions"]

    run.start("--games", "5", "--json", "--profile", "ci")
    code, out, err = run.finish(200)
    assert code == 0, err
    assert json.loads(out)["games_finished"] >= 5
    log = open_log(run.home, read_only=True)
    try:
        iterations = [
            entry.event.payload["iteration"]
            for entry in log.read(types=["TRAINING_ITERATION"], limit=10_000)
        ]
        games_before_and_after = log.count(["GAME_FINISHED"])
    finally:
        log.close()
    assert games_before_and_after >= first["games_finished"] + 5
    assert iterations == sorted(iterations), "training went on from its checkpoint"
