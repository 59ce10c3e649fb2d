"""Training for real, small: Ray, a few iterations, a checkpoint, a resume, a kill."""

from __future__ import annotations

import os
import signal
import socket
import time

import psutil
import pytest

from jimbot.events import open_log
from jimbot.events.games import list_games, read_game, replay
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION
from jimbot.mcp.journal import Auditor
from jimbot.training import checkpoints
from tests.training.conftest import Services

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_training_trains_records_saves_and_resumes(services: Services) -> None:
    services.start("mcp", "ray-head", "trainer")
    services.wait(lambda health: health["details"].get("iteration", 0) >= 3)

    # A clean stop saves, and delivers what the runners hold.
    code, seconds = services.stop("trainer")
    assert code == 0, services.log("trainer")[-2000:]
    assert seconds < 8
    newest = checkpoints.newest(services.home.checkpoints)
    assert newest is not None

    # It goes on from there in the same run, and a kill loses nothing that was saved.
    services.start("trainer")
    health = services.wait(lambda health: health["details"].get("resumed_from") == newest.name)
    first = health["details"]
    health = services.wait(lambda health: health["details"]["iteration"] > first["iteration"] + 1)
    assert health["status"] == "ok"
    runners = [p for p in family(services.running["ray-head"].pid) if "ray::Single" in p.name()]
    assert runners
    services.stop("trainer", signal.SIGKILL)
    assert checkpoints.newest(services.home.checkpoints) == newest
    psutil.wait_procs(runners, timeout=15)
    assert not [p for p in runners if p.is_running()]  # Ray ends a dead driver's runners

    services.start("trainer")
    health = services.wait(lambda health: health["details"].get("resumed_from") == newest.name)
    assert health["details"]["run"] == first["run"]
    services.stop("trainer")

    # The head leaves nothing behind.
    members = family(services.running["ray-head"].pid)
    code, seconds = services.stop("ray-head")
    assert (code, seconds < 4) == (0, True)
    assert not [process for process in members if process.is_running()]
    assert not (services.home.run / "ray-head.json").exists()

    # What was acknowledged is in the log; games are there, the kept ones replay.
    services.stop("mcp")
    log = open_log(services.home, read_only=True)
    try:
        audit = Auditor(services.home.acknowledged, log).audit()
        assert audit.acknowledged > 0
        assert audit.lost == []
        iterations = [entry.event.payload for entry in log.read(types=[TRAINING_ITERATION])]
        assert len(iterations) >= 5
        assert {payload["run"] for payload in iterations} == {first["run"]}
        assert all(payload["steps_per_s"] > 0 for payload in iterations)
        assert log.count([GAME_FINISHED]) >= 10
        kept = list_games(log, 3, recorded=True)
        assert kept
        for summary in kept:
            steps = list(replay(read_game(log, summary.game.game_id)))
            assert len(steps) == summary.game.actions
    finally:
        log.close()


def test_a_killed_head_takes_its_processes_along(services: Services) -> None:
    services.start("ray-head")
    deadline = time.monotonic() + 40
    while not (services.home.run / "ray-head.json").exists():
        assert time.monotonic() < deadline, services.log("ray-head")[-2000:]
        time.sleep(0.1)
    time.sleep(1)
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
    left = psutil.wait_procs([p for p in members if not p.name().startswith("ray::")], timeout=5)[1]
    assert [process.name() for process in left] == []


def test_another_cluster_in_its_place_is_not_joined(services: Services) -> None:
    """Even one that lets us in, on our port."""
    services.start("ray-head")
    announcement = services.home.run / "ray-head.json"
    deadline = time.monotonic() + 40
    while not announcement.exists():
        assert time.monotonic() < deadline, services.log("ray-head")[-2000:]
        time.sleep(0.1)
    announcement.write_text(announcement.read_text().replace("session_", "session_of_another_"))
    services.start("mcp", "trainer")
    assert services.running.pop("trainer").wait(timeout=60) == 2
    assert "is not this home's" in services.log("trainer")


def test_a_taken_port_is_named(services: Services) -> None:
    port = services.appliance.service("ray-head").ports["gcs"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        services.start("ray-head")
        assert services.running.pop("ray-head").wait(timeout=40) == 2
    last = services.log("ray-head").splitlines()[-1]
    assert str(port) in last
    assert "Traceback" not in services.log("ray-head")


def test_a_checkpoint_of_another_kind_is_named(services: Services) -> None:
    def write(path: os.PathLike[str]) -> None:
        with open(os.path.join(path, "progress.json"), "w") as file:
            file.write("{}")

    checkpoints.save(services.home.checkpoints, 5, write, keep=3)
    services.start("mcp", "ray-head", "trainer")
    assert services.running.pop("trainer").wait(timeout=90) == 2
    assert "does not fit this version" in services.log("trainer")
