"""Training for real, small: Ray, a few iterations, a checkpoint, a resume, a kill."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from jimbot.events import open_log
from jimbot.events.games import list_games, read_game, replay
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION
from jimbot.game import Run
from jimbot.mcp.journal import Auditor
from jimbot.policy import LEARNED, make
from jimbot.policy.evaluate import play
from jimbot.training import checkpoints, export
from tests.training.conftest import Services, export_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def progress(checkpoint: Path) -> dict[str, Any]:
    saved: dict[str, Any] = json.loads((checkpoint / export.PROGRESS).read_text())
    return saved


def test_training_trains_records_saves_and_resumes(services: Services) -> None:
    """Each step waits for what it needs; how quick the machine is decides nothing."""
    services.start_head()
    services.start("mcp", "trainer")
    services.wait(lambda health: health["details"].get("checkpoint", ""))

    # A kill loses nothing that was saved, and leaves no runner behind.
    runners = [p for p in family(services.running["ray-head"].pid) if "ray::Single" in p.name()]
    assert runners
    services.stop("trainer", signal.SIGKILL)
    psutil.wait_procs(runners, timeout=30)
    assert not [p for p in runners if p.is_running()]  # Ray ends a dead driver's runners
    killed = checkpoints.newest(services.home.checkpoints)
    assert killed is not None
    before = progress(killed)
    log = open_log(services.home, read_only=True)
    try:
        finished_before = log.count([GAME_FINISHED])
    finally:
        log.close()

    # It goes on from there in the same run, and a clean stop saves and delivers.
    services.start("trainer")
    health = services.wait(lambda health: health["details"].get("resumed_from") == killed.name)
    assert health["details"]["run"] == before["run"]
    warm_up = services.appliance.training.warm_up
    health = services.wait(
        lambda health: (
            health["details"]["iteration"] > max(before["iteration"], warm_up) + 1
            and health["details"]["games"] > before["games"]
        )
    )
    assert health["status"] == "ok"
    assert services.stop("trainer") == 0, services.log("trainer")[-2000:]
    newest = checkpoints.newest(services.home.checkpoints)
    assert newest is not None
    saved = progress(newest)
    assert saved["run"] == before["run"]
    assert saved["iteration"] >= health["details"]["iteration"]

    # The head leaves nothing behind. That both end in time `jimbot up` says: tests/test_up.py.
    members = family(services.running["ray-head"].pid)
    assert services.stop("ray-head") == 0
    assert not [process for process in members if process.is_running()]
    assert not (services.home.run / "ray-head.json").exists()

    # What was acknowledged is in the log: every iteration of a clean end and every game that they
    # counted, and a game replays.
    services.stop("mcp")
    log = open_log(services.home, read_only=True)
    try:
        audit = Auditor(services.home.acknowledged, log).audit()
        assert audit.acknowledged > 0
        assert audit.lost == []
        iterations = [entry.event.payload for entry in log.read(types=[TRAINING_ITERATION])]
        assert {payload["run"] for payload in iterations} == {before["run"]}
        assert all(payload["steps_per_s"] > 0 for payload in iterations)
        # The first learn nothing but values; what learns moves, by little.
        moved = [payload["kl"] for payload in iterations if "kl" in payload]
        assert moved
        assert all(0 < kl < 1 for kl in moved)
        resumed = [payload["iteration"] for payload in iterations][-_since(before, saved) :]
        assert resumed == list(range(before["iteration"] + 1, saved["iteration"] + 1))
        assert log.count([GAME_FINISHED]) - finished_before >= saved["games"] - before["games"] > 0
        kept = list_games(log, 3, recorded=True)
        assert kept
        for summary in kept:
            steps = list(replay(read_game(log, summary.game.game_id)))
            assert len(steps) == summary.game.actions
    finally:
        log.close()

    # What was saved last is exported, and plays.
    done = export_command(services.home)
    assert done.returncode == 0, done.stderr
    policy = make(LEARNED, home=services.home)
    assert policy.name == f"ppo-{int(newest.name)}"
    run = Run("ALEEB")
    play(policy, run)
    assert run.over


def _since(before: dict[str, Any], saved: dict[str, Any]) -> int:
    return int(saved["iteration"] - before["iteration"])


def test_a_trainer_refuses_what_is_not_its_own_and_a_killed_head_takes_its_processes_along(
    services: Services,
) -> None:
    announcement = services.start_head()
    services.start("mcp")

    def write(path: Path) -> None:
        (path / "progress.json").write_text("{}")

    checkpoints.save(services.home.checkpoints, 5, write, keep=3)
    services.start("trainer")
    assert services.running.pop("trainer").wait(timeout=120) == 2
    assert "does not fit this version" in services.log("trainer")

    # Another cluster in its place, even one that lets us in, on our port.
    announcement.write_text(announcement.read_text().replace("session_", "session_of_another_"))
    services.start("trainer")
    assert services.running.pop("trainer").wait(timeout=120) == 2
    assert "is not this home's" in services.log("trainer")

    members = family(services.running["ray-head"].pid)
    assert {"gcs_server", "raylet"} <= {process.name() for process in members}
    listening = {
        connection.laddr.ip
        for process in members
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    services.stop("ray-head", signal.SIGKILL)
    # The kernel ends what it started; Ray's two agents, one floor below, take a minute to give up.
    left = psutil.wait_procs([p for p in members if not p.name().startswith("ray::")], timeout=10)
    assert [process.name() for process in left[1]] == []


def test_a_taken_port_is_named(services: Services) -> None:
    port = services.appliance.service("ray-head").ports["gcs"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        services.start("ray-head")
        assert services.running.pop("ray-head").wait(timeout=120) == 2
    last = services.log("ray-head").splitlines()[-1]
    assert str(port) in last
    assert "Traceback" not in services.log("ray-head")
